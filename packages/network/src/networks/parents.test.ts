import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createLink, deleteLink, findLink, type LinkKind, NetlinkSocket } from "@boxship/kernel";
import type { CreateNetworkOptions } from "../contract.ts";
import type { NetworkManager } from "../manager.ts";
import { container, type TestContainer, TestHost } from "../testing/host.ts";

const OUTSIDE = "203.0.113.9";

/** Kinds of links that this kernel has. */
const kinds: { readonly [Kind in "dummy" | "ipvlan" | "vlan"]: boolean } = await (async () => {
  await using host = new TestHost();
  using route = new NetlinkSocket();
  const parent = findLink(route, "up0")?.index ?? 0;
  const has = (kind: LinkKind): boolean => {
    try {
      createLink(route, { name: "probe", kind });
    } catch {
      return false;
    }
    deleteLink(route, "probe");
    return true;
  };
  assert.ok(host);
  return {
    dummy: has({ kind: "dummy" }),
    ipvlan: has({ kind: "ipvlan", parent }),
    vlan: has({ kind: "vlan", parent, id: 7 }),
  };
})();

describe("networks on a parent interface", () => {
  let host: TestHost;
  let manager: NetworkManager;

  before(async () => {
    host = new TestHost();
    manager = await host.open();
  });

  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  async function reaches(from: TestContainer, address: string, seconds = 3): Promise<boolean> {
    return await host.succeeds(`ping -c 1 -W ${seconds} ${address}`, from.path);
  }

  function lan(
    name: string,
    driver: string,
    options: Record<string, string>,
    rest: Partial<CreateNetworkOptions> = {},
  ) {
    const config = [
      {
        subnet: "203.0.113.0/24",
        gateway: OUTSIDE,
        ipRange: "203.0.113.64/26",
        auxiliaryAddresses: { printer: "203.0.113.64", host: "203.0.113.1" },
      },
    ];
    return manager.createNetwork({ name, driver, options: { parent: "up0", ...options }, ipam: { config }, ...rest });
  }

  async function removeAll(name: string, members: readonly TestContainer[]): Promise<void> {
    for (const { id } of members) await manager.removeSandbox(id);
    await manager.removeNetwork(name);
    assert.ok(await host.succeeds("ip link show dev up0"), "the parent was there before, and stays");
  }

  it("macvlan in bridge mode: members reach each other and the parent's network, as machines on it", async () => {
    await lan("lan", "macvlan", {});
    const one = await container(manager, "one", ["lan"]);
    const two = await container(manager, "two", ["lan"]);
    // The first of the range is kept for the printer.
    assert.deepEqual([one.ipv4, two.ipv4], ["203.0.113.65", "203.0.113.66"]);
    await assert.rejects(container(manager, "three", [{ networkId: "lan", requestedIPv4: "203.0.113.64" }]), {
      code: "InvalidArgument",
    });
    assert.ok(await reaches(one, two.ipv4));
    assert.ok(await reaches(one, OUTSIDE));
    host.serveTcp(host.outside, 81, "outside");
    assert.equal(await host.askTcp(OUTSIDE, 81, one.path), `outside ${one.ipv4}`);
    assert.match(await host.run("ip route", one.path), /^default via 203\.0\.113\.9 dev eth0/);
    assert.match(await host.run("nslookup two. 127.0.0.11", one.path), /Address: 203\.0\.113\.66/);
    await removeAll("lan", [one, two]);
  });

  it("macvlan in private and vepa mode: members reach the network, but each other only through a switch", async () => {
    // Each time with the addresses of the time before, at once.
    for (const mode of ["private", "vepa"]) {
      await lan(mode, "macvlan", { macvlan_mode: mode });
      const one = await container(manager, "one", [mode]);
      const two = await container(manager, "two", [mode]);
      assert.ok(await reaches(one, OUTSIDE), mode);
      assert.equal(await reaches(one, two.ipv4, 1), false, mode);
      assert.match(await host.run("/sbin/ip -d link show dev eth0", one.path), new RegExp(mode));
      await removeAll(mode, [one, two]);
    }
  });

  it("macvlan in passthru mode: one member has the parent", async () => {
    await lan("whole", "macvlan", { macvlan_mode: "passthru" });
    await assert.rejects(lan("other", "macvlan", {}, { ipam: { config: [{ subnet: "10.71.0.0/24" }] } }), {
      code: "Conflict",
      message: /cannot share parent interface up0 with network whole: mode passthru/,
    });
    const one = await container(manager, "one", ["whole"]);
    assert.ok(await reaches(one, OUTSIDE));
    await assert.rejects(container(manager, "two", ["whole"]));
    await removeAll(
      "whole",
      manager.listSandboxes().map(({ id, path }) => ({ id, path, ipv4: "", ipv6: "" })),
    );
  });

  it("several subnets of both families, each address by its own", async () => {
    await manager.createNetwork({
      name: "wide",
      driver: "macvlan",
      options: { parent: "up0" },
      enableIPv6: true,
      ipam: {
        config: [
          { subnet: "10.72.0.0/30", gateway: "10.72.0.1" },
          { subnet: "10.73.0.0/24", gateway: "10.73.0.254" },
          { subnet: "fd00:72::/64" },
          { subnet: "fd00:73::/64", gateway: "fd00:73::ff" },
        ],
      },
    });
    const one = await container(manager, "one", ["wide"]);
    // The first subnet is full now.
    const two = await container(manager, "two", ["wide"]);
    const three = await container(manager, "three", [{ networkId: "wide", requestedIPv6: "fd00:73::9" }]);
    const endpoint = (member: TestContainer) => manager.getSandbox(member.id).endpoints[0];
    assert.deepEqual(endpoint(one)?.ipv4, { address: "10.72.0.2", prefixLength: 30, gateway: "10.72.0.1" });
    assert.deepEqual(endpoint(two)?.ipv4, { address: "10.73.0.1", prefixLength: 24, gateway: "10.73.0.254" });
    assert.deepEqual(endpoint(three)?.ipv6, { address: "fd00:73::9", prefixLength: 64, gateway: "fd00:73::ff" });
    await assert.rejects(container(manager, "four", [{ networkId: "wide", requestedIPv4: "10.74.0.1" }]), {
      code: "InvalidArgument",
    });
    for (const { id } of manager.listSandboxes()) await manager.removeSandbox(id);
    await manager.removeNetwork("wide");
    const config = [{ subnet: "10.72.0.0/24" }, { subnet: "10.73.0.0/24" }];
    await assert.rejects(manager.createNetwork({ name: "bridged", ipam: { config } }), {
      code: "PermissionDenied",
      message: /bridge driver doesn't support multiple subnets/,
    });
    const overlap = [{ subnet: "10.72.0.0/24" }, { subnet: "10.72.0.0/16" }];
    await assert.rejects(manager.createNetwork({ name: "bad", driver: "macvlan", ipam: { config: overlap } }), {
      code: "InvalidArgument",
      message: /overlaps with another of its own/,
    });
  });

  it("without a parent a link of their own joins the members, and nobody else", async () => {
    const network = await manager.createNetwork({ name: "alone", driver: "macvlan" });
    assert.equal(network.internal, true);
    assert.equal(network.ipam.config[0]?.gateway, undefined);
    const one = await container(manager, "one", ["alone"]);
    const two = await container(manager, "two", ["alone"]);
    assert.ok(await reaches(one, two.ipv4));
    assert.equal(await host.run("ip route | grep ^default || true", one.path), "");
    assert.equal(await reaches(one, OUTSIDE, 1), false);
    for (const { id } of [one, two]) await manager.removeSandbox(id);
    await manager.removeNetwork("alone");
    assert.equal(await host.succeeds(`ip link show dev ${network.interfaceName}`), false);
  });

  it("share a parent as far as the kernel lets them, and it goes with the last one when it was made for them", async () => {
    await host.run("ip link add name shared0 type bridge");
    const on = (name: string, driver: string, subnet: string, options: Record<string, string> = {}) =>
      manager.createNetwork({
        name,
        driver,
        options: { parent: "shared0", ...options },
        ipam: { config: [{ subnet }] },
      });
    await on("first", "macvlan", "10.75.0.0/24");
    await on("second", "macvlan", "10.76.0.0/24", { macvlan_mode: "private" });
    await assert.rejects(on("third", "ipvlan", "10.77.0.0/24"), { code: "Conflict", message: /a macvlan network/ });
    const one = await container(manager, "one", ["first"]);
    const two = await container(manager, "two", ["second"]);
    for (const { id } of [one, two]) await manager.removeSandbox(id);
    await manager.removeNetwork("first");
    await manager.removeNetwork("second");
    assert.ok(await host.succeeds("ip link show dev shared0"));
  });

  it("a VLAN of an interface is made when it is named and not there", {
    skip: !kinds.vlan && "no vlan links in this kernel",
  }, async () => {
    await lan("tagged", "macvlan", { parent: "up0.50" });
    assert.match(await host.run("cat /proc/net/vlan/up0.50"), /VID: 50/);
    await lan("more", "macvlan", { parent: "up0.50" }, { ipam: { config: [{ subnet: "10.79.0.0/24" }] } });
    await manager.removeNetwork("tagged");
    // The other one is on it still.
    assert.ok(await host.succeeds("ip link show dev up0.50"));
    await manager.removeNetwork("more");
    assert.equal(await host.succeeds("ip link show dev up0.50"), false);
  });

  it("a VLAN in a kernel without them is refused by name", {
    skip: kinds.vlan && "this kernel has vlan links",
  }, async () => {
    await assert.rejects(lan("tagged", "macvlan", { parent: "up0.50" }), {
      code: "Unsupported",
      message: "this kernel has no vlan links",
    });
    for (const parent of ["up0.0", "up0.4095", "nope", "nope.7"]) {
      await assert.rejects(lan("tagged", "macvlan", { parent }), { message: /parent interface nope|up0/ });
    }
    assert.equal(manager.listNetworks().length, 3);
  });

  for (const mode of ["l2", "l3", "l3s"]) {
    it(`ipvlan in mode ${mode}`, { skip: !kinds.ipvlan && "no ipvlan links in this kernel" }, async () => {
      await lan("ip", "ipvlan", { ipvlan_mode: mode });
      const one = await container(manager, "one", ["ip"]);
      const two = await container(manager, "two", ["ip"]);
      assert.ok(await reaches(one, two.ipv4));
      assert.match(await host.run("/sbin/ip -d link show dev eth0", one.path), new RegExp(`ipvlan *mode ${mode}`));
      const way = await host.run("ip route | grep ^default", one.path);
      assert.match(way, mode === "l2" ? /via 203\.0\.113\.9/ : /^default dev eth0/);
      await removeAll("ip", [one, two]);
    });
  }

  it("ipvlan in a kernel without it is refused by name", {
    skip: kinds.ipvlan && "this kernel has ipvlan links",
  }, async () => {
    const count = manager.listNetworks().length;
    await assert.rejects(lan("ip", "ipvlan", {}), { code: "Unsupported", message: "this kernel has no ipvlan links" });
    assert.equal(manager.listNetworks().length, count);
  });
});
