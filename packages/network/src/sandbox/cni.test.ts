import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { silentLogger } from "@boxship/base";
import type { NetworkManager } from "../manager.ts";
import { bridgeList, cniPlugins } from "../testing/cni.ts";
import { container, TestHost } from "../testing/host.ts";

const HOST = "203.0.113.1";
const CLIENT = "203.0.113.9";
const OUTSIDE = "203.0.113.9";
const LEASES = `/tmp/boxship-cni-${process.pid}`;

describe("networks of CNI plugins", { skip: cniPlugins === "" && "the reference plugins are not here" }, () => {
  let host: TestHost;
  let manager: NetworkManager;
  const warnings: string[] = [];

  before(async () => {
    host = new TestHost();
    manager = await host.open(options("boxt"));
  });

  after(async () => {
    await manager.destroy();
    await host[Symbol.asyncDispose]();
    rmSync(LEASES, { recursive: true, force: true });
  });

  function options(name: string) {
    const directory = join(host.directory, "net.d");
    mkdirSync(directory, { recursive: true });
    mkdirSync(join(host.directory, "plugins"), { recursive: true });
    const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
    return { name, logger, cniConfigurations: directory, cniPlugins: [cniPlugins, join(host.directory, "plugins")] };
  }

  function create(name: string, conflist: string, by: NetworkManager = manager) {
    return by.createNetwork({ name, driver: "cni", options: { conflist } });
  }

  /** Addresses that host-local has handed out. */
  function leases(list: string): string[] {
    const directory = join(LEASES, list);
    return existsSync(directory) ? readdirSync(directory).filter((file) => /^\d+\./.test(file)) : [];
  }

  it("bridge, host-local and portmap: members reach each other by name, the outside, and are published", async () => {
    const network = await create("plug", bridgeList("plug", "10.61.0.0/24"));
    assert.deepEqual([network.driver, network.ipam], ["cni", { driver: "cni", config: [] }]);
    const one = await container(manager, "one", [{ networkId: "plug", aliases: ["first"] }]);
    const two = await container(manager, "two", ["plug"]);
    const [endpoint] = manager.getSandbox(one.id).endpoints;
    assert.deepEqual(endpoint?.ipv4, { address: "10.61.0.2", prefixLength: 24, gateway: "10.61.0.1" });
    assert.match(endpoint?.mac ?? "", /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    assert.ok(await host.succeeds(`ping -c 1 -W 2 ${two.ipv4}`, one.path));
    assert.ok(await host.succeeds(`ping -c 1 -W 2 ${OUTSIDE}`, one.path));
    assert.match(await host.run("nslookup first. 127.0.0.11", two.path), /Address: 10\.61\.0\.2/);
    host.serveTcp(one.path, 80, "one");
    await manager.publish(one.id, [{ protocol: "tcp", containerPort: 80, hostPort: 8200 }]);
    assert.equal(await host.askTcp(HOST, 8200, host.outside), `one ${CLIENT}`);
    assert.equal(await host.askTcp("127.0.0.1", 8200), "one 10.61.0.1");
    assert.equal(await host.askTcp("::1", 8200), "one 10.61.0.1");
    assert.equal(await host.askTcp(HOST, 8200, two.path), "one 10.61.0.1");
    assert.deepEqual(leases("plug"), ["10.61.0.2", "10.61.0.3"]);
    await assert.rejects(manager.removeNetwork("plug"), { code: "Conflict" });
    for (const { id } of [one, two]) await manager.removeSandbox(id);
    assert.deepEqual(leases("plug"), []);
    assert.doesNotMatch(await host.run("nft list set inet boxt-net guests"), /elements/);
    await manager.removeNetwork("plug");
  });

  it("addresses can be asked for; where plugins do not give them the connection fails and leaves nothing", async () => {
    await create("fixed", bridgeList("fixed", "10.62.0.0/24"));
    const wanted = { networkId: "fixed", requestedIPv4: "10.62.0.77", macAddress: "02:00:00:00:00:62" };
    const one = await container(manager, "one", [wanted]);
    assert.equal(one.ipv4, "10.62.0.77");
    assert.match(await host.run("ip link show dev eth0", one.path), /02:00:00:00:00:62/);
    await assert.rejects(container(manager, "two", [wanted]), {
      code: "FailedPrecondition",
      message: /^CNI plugin bridge failed at ADD: .*10\.62\.0\.77/,
    });
    const deaf = bridgeList("deaf", "10.63.0.0/24").replace('"ips":true,"mac":true', '"mac":true');
    await create("deaf", deaf);
    // host-local takes the address from CNI_ARGS, too; it has none of IPv6.
    await assert.rejects(container(manager, "three", [{ networkId: "deaf", requestedIPv6: "fd00::9" }]), {
      code: "FailedPrecondition",
    });
    assert.deepEqual(leases("deaf"), []);
    for (const { id } of manager.listSandboxes()) await manager.removeSandbox(id);
    assert.deepEqual(leases("fixed"), []);
    for (const name of ["fixed", "deaf"]) await manager.removeNetwork(name);
  });

  it("beside networks of our own; the way out is chosen as between others", async () => {
    await create("mixed", bridgeList("mixed", "10.64.0.0/24"));
    await manager.createNetwork({ name: "alpha", ipam: { config: [{ subnet: "10.65.0.0/24" }] } });
    const one = await container(manager, "one", ["alpha"]);
    const way = () => host.run("ip route | grep ^default", one.path);
    const joined = await manager.connect({ sandboxId: one.id, networkId: "mixed", name: "one" });
    assert.equal(joined.interfaceName, "eth1");
    assert.match(await way(), /^default via 10\.65\.0\.1 dev eth0 *$/);
    await manager.disconnect(one.id, "mixed");
    assert.deepEqual(leases("mixed"), []);
    assert.equal(await host.succeeds("ip link show dev eth1", one.path), false);
    await manager.connect({ sandboxId: one.id, networkId: "mixed", name: "one", gatewayPriority: 9 });
    assert.match(await way(), /^default via 10\.64\.0\.1 dev eth1 *$/);
    assert.ok(await host.succeeds(`ping -c 1 -W 2 ${OUTSIDE}`, one.path));
    await manager.removeSandbox(one.id);
    for (const name of ["mixed", "alpha"]) await manager.removeNetwork(name);
  });

  it("macvlan and loopback, from a file by its name and by the network's", async () => {
    const macvlan = {
      cniVersion: "0.4.0",
      name: "lan",
      type: "macvlan",
      master: "up0",
      ipam: {
        type: "host-local",
        dataDir: LEASES,
        ranges: [[{ subnet: "203.0.113.0/24", rangeStart: "203.0.113.90" }]],
      },
    };
    writeFileSync(join(host.directory, "net.d", "10-lan.conf"), JSON.stringify(macvlan));
    const list = { cniVersion: "1.0.0", name: "lo", plugins: [{ type: "loopback" }] };
    writeFileSync(join(host.directory, "net.d", "99-loopback.conflist"), JSON.stringify(list));
    await manager.createNetwork({ name: "lan", driver: "cni" });
    await manager.createNetwork({ name: "other", driver: "cni", options: { file: "99-loopback.conflist" } });
    rmSync(join(host.directory, "net.d", "10-lan.conf"));
    const one = await container(manager, "one", ["lan"]);
    assert.equal(one.ipv4, "203.0.113.90");
    assert.ok(await host.succeeds(`ping -c 1 -W 2 ${OUTSIDE}`, one.path));
    // The host does not reach it, so nothing is published.
    assert.deepEqual(await manager.publish(one.id, [{ protocol: "tcp", containerPort: 80, hostPort: 8201 }]), []);
    await manager.removeSandbox(one.id);
    assert.deepEqual(leases("lan"), []);
    for (const name of ["lan", "other"]) await manager.removeNetwork(name);
  });

  it("a directory is followed; names and limits are the plugins'", async () => {
    const directory = join(host.directory, "followed");
    const follow = { directory, plugins: cniPlugins, "com.boxship.network.names": "false" };
    await manager.createNetwork({ name: "followed", driver: "cni", options: follow });
    const empty = { code: "FailedPrecondition", message: "cni plugin not initialized" };
    await assert.rejects(manager.requireReady("followed"), empty);
    await assert.rejects(container(manager, "one", ["followed"]), empty);
    mkdirSync(directory);
    const list = (name: string, subnet: string): void => {
      const text = bridgeList(name, subnet).replace('"capabilities":{"ips"', '"dns":{"nameservers":["192.0.2.7"]},$&');
      writeFileSync(join(directory, "10-x.conflist"), text);
    };
    list("first", "10.68.0.0/24");
    await manager.requireReady("followed");
    const one = await container(manager, "one", ["followed"]);
    assert.equal(one.ipv4, "10.68.0.2");
    assert.match(manager.resolvConf(one.id), /^nameserver 192\.0\.2\.7$/m);
    const limited = { networkId: "followed", bandwidth: { ingress: 1e6 } };
    await assert.rejects(container(manager, "limited", [limited]), { message: /first cannot limit bandwidth/ });
    list("second", "10.69.0.0/24");
    assert.equal((await container(manager, "two", ["followed"])).ipv4, "10.69.0.2");
    writeFileSync(join(directory, "00-broken.conf"), "{");
    await assert.rejects(manager.requireReady("followed"), { message: /not initialized: CNI configuration 00-broken/ });
    for (const { id } of manager.listSandboxes()) await manager.removeSandbox(id);
    assert.deepEqual([leases("first"), leases("second")], [[], []]);
    await manager.removeNetwork("followed");
  });

  it("what cannot be is refused when the network is made", async () => {
    const refused = async (request: object, code: string, message: RegExp): Promise<void> => {
      await assert.rejects(manager.createNetwork({ name: "bad", driver: "cni", ...request }), { code, message });
    };
    const conflist = bridgeList("bad", "10.66.0.0/24");
    await refused({}, "NotFound", /no CNI configuration in .* has the name bad/);
    await refused({ options: { conflist, file: "x" } }, "InvalidArgument", /exclude each other/);
    await refused({ options: { colour: "blue" } }, "InvalidArgument", /no option colour/);
    await refused({ options: { conflist: "{" } }, "InvalidArgument", /not JSON/);
    await refused({ options: { conflist }, internal: true }, "InvalidArgument", /all about internal/);
    await refused({ options: { conflist }, enableIPv6: true }, "InvalidArgument", /all about address families/);
    const subnets = { ipam: { config: [{ subnet: "10.0.0.0/24" }] } };
    await refused({ options: { conflist }, ...subnets }, "InvalidArgument", /all about subnets/);
    const absent = conflist.replace('"type":"portmap"', '"type":"no-such-plugin"');
    await refused({ options: { conflist: absent } }, "NotFound", /no CNI plugin no-such-plugin/);
    const newer = conflist.replace("1.0.0", "1.1.0");
    await refused({ options: { conflist: newer } }, "Unsupported", /plugin bridge does not speak version 1\.1\.0/);
  });

  it("after a crash, what plugins hold is given back; what lives stays and is checked", async () => {
    const first = await host.open(options("boxtc"));
    await create("kept", bridgeList("kept", "10.67.0.0/24"), first);
    const live = await container(first, "live", ["kept"]);
    const dead = await container(first, "dead", ["kept"]);
    host.serveTcp(live.path, 80, "live");
    await first.publish(live.id, [{ protocol: "tcp", containerPort: 80, hostPort: 8202 }]);
    assert.deepEqual(leases("kept"), ["10.67.0.2", "10.67.0.3"]);
    // As if the machine had been switched off: the run directory is gone, and with it all that is known of one of them.
    const { runDir, root } = host.options("boxtc");
    await first[Symbol.asyncDispose]();
    for (const file of readdirSync(join(runDir, "sandboxes"))) {
      if (file.startsWith(dead.id)) rmSync(join(runDir, "sandboxes", file));
    }
    const second = await host.open(options("boxtc"));
    assert.deepEqual(leases("kept"), ["10.67.0.2"]);
    assert.equal(await host.askTcp(HOST, 8202, host.outside), `live ${CLIENT}`);
    assert.equal(readdirSync(join(root, "cni")).length, 1);
    warnings.length = 0;
    await second.reconcile([live.id]);
    assert.deepEqual(warnings, []);
    await host.run("ip address delete 10.67.0.2/24 dev eth0", live.path);
    await second.reconcile([live.id]);
    assert.deepEqual(warnings, ["a container's CNI network is not as it was made"]);
    await second.destroy();
    assert.deepEqual(leases("kept"), []);
    assert.equal(existsSync(join(root, "cni")), false);
  });

  it("version 1.1: plugins are told what is still valid, and asked nothing they do not know", async () => {
    const log = join(host.directory, "calls");
    writeFileSync(join(host.directory, "plugins", "recorder"), recorder(log), { mode: 0o755 });
    const list = { cniVersion: "0.4.0", cniVersions: ["1.1.0"], name: "rec", plugins: [{ type: "recorder", a: 1 }] };
    await create("rec", JSON.stringify(list));
    const one = await container(manager, "one", ["rec"]);
    assert.equal(one.ipv4, "10.68.0.2");
    await manager.reconcile([one.id]);
    await manager.removeSandbox(one.id);
    await manager.removeNetwork("rec");
    const calls = readFileSync(log, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      calls.map(({ command }) => command),
      ["VERSION", "ADD", "CHECK", "GC", "DEL"],
    );
    const [, add, check, gc, del] = calls.map(({ input }) => input as Record<string, unknown>);
    assert.deepEqual(add, { type: "recorder", a: 1, name: "rec", cniVersion: "1.1.0" });
    const result = { cniVersion: "1.1.0", interfaces: [], ips: [{ address: "10.68.0.2/24" }] };
    assert.deepEqual(check, { ...add, prevResult: result });
    assert.deepEqual(gc, { ...add, "cni.dev/valid-attachments": [{ containerID: one.id, ifname: "eth0" }] });
    assert.deepEqual(del, { ...add, prevResult: result });
  });
});

/** A plugin that writes down how it was called and always gives the same address. */
function recorder(log: string): string {
  const versions = '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}';
  const result = '{"cniVersion":"1.1.0","interfaces":[],"ips":[{"address":"10.68.0.2/24"}]}';
  return [
    "#!/bin/sh",
    `printf '{"command":"%s","input":%s}\\n' "$CNI_COMMAND" "$(cat)" >> ${log}`,
    `case $CNI_COMMAND in VERSION) echo '${versions}' ;; ADD) echo '${result}' ;; esac`,
    "",
  ].join("\n");
}
