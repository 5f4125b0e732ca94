import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { NetworkManager } from "../manager.ts";
import { container, TestHost } from "../testing/host.ts";

describe("networks", () => {
  let host: TestHost;
  let manager: NetworkManager;

  before(async () => {
    host = new TestHost();
    // A route of the host in the way of the first pool.
    await host.run("ip route add 172.17.128.0/20 via 203.0.113.9");
    manager = await host.open();
  });

  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  it("three are always there, and stay", async () => {
    const names = manager.listNetworks().map(({ name, driver, predefined }) => [name, driver, predefined]);
    assert.deepEqual(names, [
      ["bridge", "bridge", true],
      ["host", "host", true],
      ["none", "null", true],
    ]);
    for (const name of ["bridge", "host", "none"]) {
      await assert.rejects(manager.removeNetwork(name), { code: "PermissionDenied", message: /pre-defined/ });
    }
    await assert.rejects(manager.createNetwork({ name: "mine", driver: "host" }), {
      code: "PermissionDenied",
      message: 'only one instance of "host" network is allowed',
    });
  });

  it("the default bridge keeps away from the host's routes, has its gateway up and the MTU of the way out", async () => {
    const bridge = manager.getNetwork("bridge");
    assert.deepEqual(bridge.ipam.config, [{ subnet: "172.18.0.0/16", gateway: "172.18.0.1" }]);
    assert.equal(bridge.interfaceName, "boxt0");
    const link = await host.run("ip address show dev boxt0");
    assert.match(link, /mtu 1400/);
    assert.match(link, /inet 172\.18\.0\.1\/16/);
    assert.equal(await host.run("cat /proc/sys/net/ipv4/ip_forward"), "1");
  });

  it("are found by name, id and the beginning of an id", async () => {
    const created = await manager.createNetwork({ name: "found", id: "ab".repeat(32) });
    await manager.createNetwork({ name: "other", id: `abab${"c".repeat(60)}` });
    assert.equal(manager.getNetwork("found").id, created.id);
    assert.equal(manager.getNetwork(created.id).name, "found");
    assert.equal(manager.getNetwork("ababa").name, "found");
    assert.throws(() => manager.getNetwork("abab"), { code: "Conflict", message: /ambiguous/ });
    assert.throws(() => manager.getNetwork("nowhere"), { code: "NotFound", message: "network nowhere not found" });
    await assert.rejects(manager.createNetwork({ name: "found" }), { code: "AlreadyExists" });
    await manager.removeNetwork("found");
    await manager.removeNetwork("other");
    assert.throws(() => manager.getNetwork("found"), { code: "NotFound" });
  });

  it("have the addresses that were asked for", async () => {
    const created = await manager.createNetwork({
      name: "addresses",
      enableIPv6: true,
      ipam: {
        driver: "default",
        config: [
          {
            subnet: "10.77.0.0/16",
            ipRange: "10.77.5.0/24",
            gateway: "10.77.5.254",
            auxiliaryAddresses: { router: "10.77.5.0" },
          },
          { subnet: "fd00:77::/64" },
        ],
      },
      options: { "com.docker.network.bridge.name": "mybr0", "com.docker.network.driver.mtu": "1300" },
      labels: { a: "b" },
    });
    assert.equal(created.ipam.config[1]?.gateway, "fd00:77::1");
    assert.match(await host.run("ip address show dev mybr0"), /mtu 1300[^]*10\.77\.5\.254\/16[^]*fd00:77::1\/64/);
    const one = await container(manager, "one", ["addresses"]);
    assert.deepEqual([one.ipv4, one.ipv6], ["10.77.5.1", "fd00:77::2"]);
    const two = await container(manager, "two", [{ networkId: "addresses", requestedIPv4: "10.77.200.1" }]);
    assert.equal(two.ipv4, "10.77.200.1");
    await assert.rejects(container(manager, "three", [{ networkId: "addresses", requestedIPv4: "10.77.200.1" }]), {
      code: "Conflict",
      message: /10\.77\.200\.1 of network addresses is already in use/,
    });
    await assert.rejects(manager.removeNetwork("addresses"), { code: "Conflict", message: /one, two/ });
    await manager.removeSandbox(one.id);
    await manager.removeSandbox(two.id);
    await manager.removeNetwork("addresses");
    assert.equal(await host.succeeds("ip link show dev mybr0"), false);
  });

  it("a bridge that was there before is used and left alone", async () => {
    await host.run("ip link add name theirs type bridge");
    const options = { "com.docker.network.bridge.name": "theirs" };
    await manager.createNetwork({ name: "borrowed", options });
    await assert.rejects(manager.createNetwork({ name: "again", options }), { code: "Conflict", message: /borrowed/ });
    await manager.removeNetwork("borrowed");
    assert.ok(await host.succeeds("ip link show dev theirs"));
    await assert.rejects(manager.createNetwork({ name: "no", options: { "com.docker.network.bridge.name": "up0" } }), {
      code: "Conflict",
      message: /up0 exists and is no bridge/,
    });
  });

  it("what cannot be is refused, and nothing is left of it", async () => {
    const state = async () => [
      // Ends of former containers may still be on their way out.
      await host.run("ip link | grep '^[0-9]' | grep -v boxtv"),
      await host.run("nft list ruleset"),
      manager.listNetworks().length,
    ];
    const unchanged = await state();
    const refused = async (options: object, code: string, message: RegExp): Promise<void> => {
      await assert.rejects(manager.createNetwork({ name: "bad", ...options }), { code, message });
    };
    await refused({ name: "a b" }, "InvalidArgument", /invalid network name/);
    await refused({ driver: "overlay" }, "NotFound", /plugin "overlay" not found/);
    await refused({ ipam: { driver: "dhcp" } }, "NotFound", /plugin "dhcp" not found/);
    await refused({ name: "bridge" }, "PermissionDenied", /not permitted on predefined bridge network/);
    await refused(
      { ipam: { config: [{ subnet: "10.1.0.0/16", ipRange: "10.2.0.0/24" }] } },
      "InvalidArgument",
      /range 10\.2\.0\.0\/24 .* outside/,
    );
    await refused({ options: { colour: "blue" } }, "InvalidArgument", /no option colour/);
    await refused({ enableIPv4: false }, "InvalidArgument", /neither IPv4 nor IPv6/);
    await refused({ ipam: { config: [{ gateway: "10.0.0.1" }] } }, "InvalidArgument", /needs a subnet/);
    await refused({ ipam: { config: [{ subnet: "10.0.0.1/8" }] } }, "InvalidArgument", /it should be 10\.0\.0\.0\/8/);
    await refused({ ipam: { config: [{ subnet: "fd00::/64" }] } }, "InvalidArgument", /IPv6 is not enabled/);
    await refused(
      { ipam: { config: [{ subnet: "10.1.0.0/16", gateway: "10.2.0.1" }] } },
      "InvalidArgument",
      /gateway 10\.2\.0\.1 .* outside/,
    );
    await refused({ ipam: { config: [{ subnet: "172.18.5.0/24" }] } }, "Conflict", /overlaps with network bridge/);
    await refused({ ipam: { config: [{ subnet: "203.0.112.0/22" }] } }, "Conflict", /which the host uses/);
    await refused({ driver: "macvlan", options: { parent: "nope" } }, "InvalidArgument", /parent interface nope/);
    assert.deepEqual(await state(), unchanged);
  });

  it("two instances live side by side", async () => {
    const second = await host.open({ name: "boxt-two" });
    assert.equal(second.getNetwork("bridge").interfaceName?.endsWith("0"), true);
    assert.notEqual(second.getNetwork("bridge").interfaceName, "boxt0");
    const [a] = manager.getNetwork("bridge").ipam.config;
    const [b] = second.getNetwork("bridge").ipam.config;
    assert.notEqual(a?.subnet, b?.subnet);
    await second.destroy();
    assert.ok(await host.succeeds("ip link show dev boxt0"));
    assert.match(await host.run("nft list tables"), /^table inet boxt-net$/);
  });

  it("two instances that open at the same moment choose different subnets", async () => {
    const names = ["boxt4", "boxt5", "boxt6", "boxt7"];
    const opened = await Promise.all(names.map((name) => host.open({ name })));
    const made = await Promise.all(opened.map((each) => each.createNetwork({ name: "more" })));
    const subnets = [...opened.map((each) => each.getNetwork("bridge")), ...made].map(
      ({ ipam }) => ipam.config[0]?.subnet,
    );
    assert.equal(new Set(subnets).size, 8, subnets.join());
    for (const each of opened) await each.destroy();
  });

  it("without a free subnet for the default bridge the rest works, and the bridge is made once there is one", async () => {
    const addressPools = [{ base: "172.30.0.0/24", size: 24 }];
    await host.run("ip route add 172.30.0.0/16 via 203.0.113.9");
    const poor = await host.open({ name: "boxt8", addressPools });
    const why =
      "all predefined IPv4 address pools have been fully subnetted: 172.30.0.0/24 by a route of the host by up0";
    assert.deepEqual((await poor.warnings()).slice(0, 1), [`network bridge could not be made: ${why}`]);
    assert.deepEqual(
      poor.listNetworks().map(({ name }) => name),
      ["host", "none"],
    );
    await poor.ensureDefaultBridge();
    assert.throws(() => poor.getNetwork("bridge"), { code: "FailedPrecondition", remedy: /addressPools/ });
    await assert.rejects(poor.createNetwork({ name: "more" }), { code: "ResourceExhausted", message: why });
    await poor.createNetwork({ name: "given", ipam: { config: [{ subnet: "10.99.0.0/24" }] } });
    await host.run("ip route delete 172.30.0.0/16 via 203.0.113.9");
    await poor.ensureDefaultBridge();
    assert.equal(poor.getNetwork("bridge").ipam.config[0]?.subnet, "172.30.0.0/24");
    const web = await container(poor, "web");
    assert.ok(await host.succeeds(`ping -c 1 -W 2 ${web.ipv4}`));
    assert.deepEqual(await poor.warnings(), []);
    await poor[Symbol.asyncDispose]();
    const again = await host.open({ name: "boxt8", addressPools });
    assert.equal(again.getNetwork("bridge").ipam.config[0]?.subnet, "172.30.0.0/24");
    await again.destroy();
  });

  it("are found again after a restart, made again where the machine lost them", async () => {
    const root = { name: "boxt3" };
    const first = await host.open(root);
    const network = await first.createNetwork({ name: "kept", enableIPv6: true });
    const all = first.listNetworks();
    await first[Symbol.asyncDispose]();
    await host.run(`ip link delete ${network.interfaceName}; ip link delete boxt30; nft delete table inet boxt3-net`);
    const second = await host.open(root);
    assert.deepEqual(second.listNetworks(), all);
    const { ipv4 } = await container(second, "web", ["kept"]);
    assert.ok(await host.succeeds(`ping -c 1 -W 1 ${ipv4}`));
    await second.destroy();
  });

  it("a macvlan network puts containers on the network of its parent", async () => {
    await manager.createNetwork({
      name: "lan",
      driver: "macvlan",
      options: { parent: "up0" },
      ipam: { config: [{ subnet: "203.0.113.0/24", gateway: "203.0.113.9", ipRange: "203.0.113.64/26" }] },
    });
    const one = await container(manager, "one", ["lan"]);
    const two = await container(manager, "two", ["lan"]);
    assert.equal(one.ipv4, "203.0.113.64");
    assert.ok(await host.succeeds(`ping -c 1 -W 2 ${two.ipv4}`, one.path));
    assert.ok(await host.succeeds("ping -c 1 -W 2 203.0.113.9", one.path));
    await manager.removeSandbox(one.id);
    await manager.removeSandbox(two.id);
    await manager.removeNetwork("lan");
    assert.ok(await host.succeeds("ip link show dev up0"));
  });
});
