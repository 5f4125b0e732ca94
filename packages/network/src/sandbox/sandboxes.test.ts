import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { findLink, inNamespace, listLinks, NetlinkSocket, openNamespace, readNetworkSysctl } from "@boxship/kernel";
import type { NetworkManager } from "../manager.ts";
import { container, newId, TestHost } from "../testing/host.ts";

describe("sandboxes", () => {
  let host: TestHost;
  let manager: NetworkManager;

  before(async () => {
    host = new TestHost();
    manager = await host.open();
  });

  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  /** Patient: on a busy machine the kernel may take a while to switch a new port of a bridge on. */
  async function reaches(from: { path: string }, address: string): Promise<boolean> {
    return await host.succeeds(`ping -c 1 -W 4 ${address}`, from.path);
  }

  async function misses(from: { path: string }, address: string): Promise<boolean> {
    return !(await host.succeeds(`ping -c 1 -W 1 ${address}`, from.path));
  }

  function ports(bridge: string | undefined): string[] {
    using route = new NetlinkSocket();
    const master = findLink(route, bridge ?? "")?.index;
    return listLinks(route).flatMap((link) => (link.master === master ? [link.name] : []));
  }

  it("have loopback up, parameters set, and end idempotently", async () => {
    const id = newId();
    const sysctls = { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 1000" };
    const { path } = await manager.createSandbox(id, { hostname: "lonely", sysctls });
    assert.ok(await reaches({ path }, "127.0.0.1"));
    assert.ok(await reaches({ path }, "::1"));
    using namespace = openNamespace(path);
    const value = inNamespace(namespace, "net", () => readNetworkSysctl("net.ipv4.ip_unprivileged_port_start"));
    assert.equal(value, "0");
    await assert.rejects(manager.createSandbox(id, { hostname: "again" }), { code: "AlreadyExists" });
    await manager.removeSandbox(id);
    await manager.removeSandbox(id);
    assert.throws(() => statSync(path), { code: "ENOENT" });
    assert.throws(() => manager.getSandbox(id), { code: "NotFound" });
  });

  it("options that cannot be are refused, and leave nothing", async () => {
    const count = manager.listSandboxes().length;
    const refused = async (options: object, code: string): Promise<void> => {
      await assert.rejects(manager.createSandbox(newId(), { hostname: "bad", ...options }), { code });
    };
    await refused({ sysctls: { "kernel.hostname": "x" } }, "InvalidArgument");
    await refused({ sysctls: { "net.ipv4.no_such_thing": "1" } }, "NotFound");
    await refused({ dns: { servers: ["resolver.example"] } }, "InvalidArgument");
    await refused({ extraHosts: [{ name: "x", address: "nowhere" }] }, "InvalidArgument");
    await assert.rejects(manager.createSandbox("../x", { hostname: "bad" }), { code: "InvalidArgument" });
    assert.equal(manager.listSandboxes().length, count);
  });

  it("on the default bridge reach each other, the host and the outside", async () => {
    const one = await container(manager, "one");
    const two = await container(manager, "two");
    assert.deepEqual([one.ipv4, two.ipv4], ["172.17.0.2", "172.17.0.3"]);
    assert.equal(manager.getSandbox(one.id).endpoints[0]?.mac, "02:42:ac:11:00:02");
    assert.ok(await reaches(one, two.ipv4));
    assert.ok(await reaches(one, "172.17.0.1"));
    assert.ok(await reaches(one, "203.0.113.9"));
    host.serveTcp(two.path, 80, "two");
    assert.equal(await host.askTcp(two.ipv4, 80, one.path), `two ${one.ipv4}`);
    // What leaves has the host's address.
    host.serveTcp(host.outside, 81, "outside");
    assert.equal(await host.askTcp("203.0.113.9", 81, one.path), "outside 203.0.113.1");
    // No IPv6 where the network has none.
    assert.doesNotMatch(await host.run("ip address show dev eth0", one.path), /inet6/);
    await manager.removeSandbox(one.id);
    await manager.removeSandbox(two.id);
  });

  it("on different networks do not reach each other, and nobody outside reaches them", async () => {
    await manager.createNetwork({ name: "left", enableIPv6: true });
    await manager.createNetwork({ name: "right", enableIPv6: true });
    const left = await container(manager, "left", ["left"]);
    const right = await container(manager, "right", ["right"]);
    const friend = await container(manager, "friend", ["left"]);
    assert.ok(await reaches(left, friend.ipv4));
    assert.ok(await reaches(left, friend.ipv6));
    assert.ok(await reaches(left, "2001:db8::9"));
    assert.ok(await misses(left, right.ipv4));
    assert.ok(await misses(left, right.ipv6));
    await host.run(`ip route add 172.16.0.0/12 via 203.0.113.1; ip route add fd00::/8 via 2001:db8::1`, host.outside);
    assert.ok(await misses({ path: host.outside }, left.ipv4));
    assert.ok(await misses({ path: host.outside }, left.ipv6));
    for (const { id } of [left, right, friend]) await manager.removeSandbox(id);
  });

  it("on an internal network have each other only", async () => {
    await manager.createNetwork({ name: "inner", internal: true });
    const one = await container(manager, "one", ["inner"]);
    const two = await container(manager, "two", ["inner"]);
    assert.ok(await reaches(one, two.ipv4));
    assert.equal(await host.run("ip route | grep ^default || true", one.path), "");
    // Even one that helps itself to a route gets nowhere.
    await host.run(`ip route add default via ${manager.getNetwork("inner").ipam.config[0]?.gateway}`, one.path);
    assert.ok(await misses(one, "203.0.113.9"));
    assert.ok(await misses(one, "203.0.113.1"));
    for (const { id } of [one, two]) await manager.removeSandbox(id);
  });

  it("are kept from each other where the network says so", async () => {
    await manager.createNetwork({ name: "strangers", options: { "com.docker.network.bridge.enable_icc": "false" } });
    const one = await container(manager, "one", ["strangers"]);
    const two = await container(manager, "two", ["strangers"]);
    assert.ok(await misses(one, two.ipv4));
    assert.ok(await reaches(one, "203.0.113.9"));
    for (const { id } of [one, two]) await manager.removeSandbox(id);
  });

  it("cannot reach what listens on the host's localhost", async () => {
    host.serveTcp(undefined, 7070, "secret", "127.0.0.1");
    const one = await container(manager, "one");
    await host.run("ip route add 127.9.9.9/32 via 172.17.0.1", one.path);
    const sees = await host.succeeds("nc -w 1 127.9.9.9 7070 </dev/null", one.path);
    assert.equal(sees, false);
    assert.equal(await host.askTcp("127.0.0.1", 7070), "secret 127.0.0.1");
    await manager.removeSandbox(one.id);
  });

  it("join and leave networks while they run; the way out follows", async () => {
    await manager.createNetwork({ name: "alpha", ipam: { config: [{ subnet: "10.81.0.0/24" }] } });
    await manager.createNetwork({ name: "beta", enableIPv6: true, ipam: { config: [{ subnet: "10.82.0.0/24" }] } });
    const one = await container(manager, "one", ["beta"]);
    const way = async (): Promise<string> => await host.run("ip route | grep ^default", one.path);
    assert.match(await way(), /via 10\.82\.0\.1 dev eth0/);
    const joined = await manager.connect({
      sandboxId: one.id,
      networkId: "alpha",
      name: "one",
      macAddress: "02:00:00:00:00:77",
      linkLocalAddresses: ["169.254.8.8", "fe80::8"],
      driverOptions: { "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1" },
    });
    assert.equal(joined.interfaceName, "eth1");
    assert.equal(joined.mac, "02:00:00:00:00:77");
    assert.match(await host.run("ip address show dev eth1", one.path), /169\.254\.8\.8\/16[^]*fe80::8\/64/);
    assert.match(await host.run("cat /proc/sys/net/ipv4/conf/eth1/log_martians", one.path), /1/);
    assert.match(await way(), /via 10\.81\.0\.1 dev eth1/);
    await assert.rejects(manager.connect({ sandboxId: one.id, networkId: "alpha", name: "one" }), { code: "Conflict" });
    await manager.disconnect(one.id, "beta");
    assert.equal(await host.succeeds("ip link show dev eth0", one.path), false);
    await assert.rejects(manager.disconnect(one.id, "beta"), { code: "NotFound" });
    await manager.connect({ sandboxId: one.id, networkId: "beta", name: "one", gatewayPriority: 5 });
    assert.match(await way(), /via 10\.82\.0\.1 dev eth0/);
    assert.ok(await reaches(one, "2001:db8::9"));
    await manager.disconnect(one.id, "beta");
    assert.match(await way(), /via 10\.81\.0\.1 dev eth1/);
    assert.ok(await reaches(one, "203.0.113.9"));
    await manager.removeSandbox(one.id);
  });

  it("a failed connection leaves nothing of it", async () => {
    await manager.createNetwork({ name: "strict", ipam: { config: [{ subnet: "10.83.0.0/29" }] } });
    const one = await container(manager, "one", []);
    const broken = {
      sandboxId: one.id,
      networkId: "strict",
      name: "one",
      requestedIPv4: "10.83.0.3",
      driverOptions: { "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.no_such=1" },
    };
    const { interfaceName: bridge } = manager.getNetwork("strict");
    await assert.rejects(manager.connect(broken), { code: "NotFound", message: /no_such/ });
    assert.deepEqual(ports(bridge), []);
    assert.deepEqual(manager.getSandbox(one.id).endpoints, []);
    const { driverOptions: _, ...fixed } = broken;
    assert.equal((await manager.connect(fixed)).ipv4?.address, "10.83.0.3");
    await assert.rejects(manager.connect({ sandboxId: one.id, networkId: "host", name: "one" }), {
      code: "InvalidArgument",
    });
    await manager.removeSandbox(one.id);
  });

  it("a bridge that somebody deleted is made again for the next one", async () => {
    const { interfaceName } = await manager.createNetwork({ name: "fragile" });
    await host.run(`ip link delete ${interfaceName}`);
    const one = await container(manager, "one", ["fragile"]);
    assert.ok(await reaches(one, "203.0.113.9"));
    await manager.removeSandbox(one.id);
  });

  it("on the none network have a record and no interface", async () => {
    const one = await container(manager, "one", ["none"]);
    const [endpoint] = manager.getSandbox(one.id).endpoints;
    assert.deepEqual([endpoint?.networkName, endpoint?.interfaceName, endpoint?.ipv4], ["none", "", undefined]);
    await assert.rejects(manager.connect({ sandboxId: one.id, networkId: "bridge", name: "one" }), {
      code: "InvalidArgument",
    });
    await manager.removeSandbox(one.id);
  });

  it("an address can be had again at once by who asks for it", async () => {
    await manager.createNetwork({ name: "fixed", ipam: { config: [{ subnet: "10.84.0.0/24" }] } });
    const peer = await container(manager, "peer", ["fixed"]);
    for (let round = 0; round < 3; round++) {
      const one = await container(manager, "one", [{ networkId: "fixed", requestedIPv4: "10.84.0.99" }]);
      assert.ok(await reaches(peer, "10.84.0.99"), `round ${round}`);
      await manager.removeSandbox(one.id);
    }
    await manager.removeSandbox(peer.id);
  });

  it("many come and go at once, and nothing stays", async () => {
    const many = await Promise.all(Array.from({ length: 20 }, (_, index) => container(manager, `c${index}`)));
    assert.equal(new Set(many.map(({ ipv4 }) => ipv4)).size, 20);
    await Promise.all(many.map(({ id }) => manager.removeSandbox(id)));
    assert.deepEqual(manager.listEndpoints("bridge"), []);
    for (let attempt = 0; attempt < 100 && ports("boxt0").length > 0; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.deepEqual(ports("boxt0"), []);
    const kept = readdirSync(`${host.options().runDir}/sandboxes`).length;
    assert.equal(kept, 0);
  });
});
