import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { silentLogger, systemClock } from "@boxship/base";
import { filtersBridges } from "../firewall/filters-bridges.ts";
import type { NetworkManager } from "../manager.ts";
import { container, type TestContainer, TestHost } from "../testing/host.ts";
import type { ServiceFront } from "./service-fronts.ts";
import { frontKey } from "./service-fronts.ts";
import { ServiceTable } from "./service-table.ts";

const HOST = "203.0.113.1";
const CLIENT = "203.0.113.9";
const SERVICE = "10.96.7.1";

function front(places: readonly string[], rest: Partial<ServiceFront> = {}): ServiceFront {
  return {
    address: SERVICE,
    family: "ipv4",
    protocol: "tcp",
    port: 80,
    reach: "cluster",
    action: places.length === 0 ? "refuse" : "balance",
    places: places.map((address) => ({ address, port: 8080 })),
    masquerade: false,
    stickySeconds: 0,
    ...rest,
  };
}

function byPort(places: readonly string[], rest: Partial<ServiceFront> = {}): ServiceFront {
  const { address: _, ...without } = front(places, { port: 30080, reach: "everybody", ...rest });
  return without;
}

describe("services", () => {
  let host: TestHost;
  let manager: NetworkManager;
  let table: ServiceTable;
  let isFiltered: boolean;
  const pods: TestContainer[] = [];
  const addresses: string[] = [];

  const open = () =>
    new ServiceTable({
      name: "test",
      podNetworks: ["172.17.0.0/16"],
      keepSources: isFiltered,
      clock: systemClock,
      logger: silentLogger,
    });

  before(async () => {
    host = new TestHost();
    manager = await host.open();
    isFiltered = filtersBridges();
    for (const name of ["a", "b", "c"]) {
      const pod = await container(manager, name);
      pods.push(pod);
      addresses.push(pod.ipv4);
      host.serveTcp(pod.path, 8080, name);
      host.serveUdp(pod.path, 8080, name);
    }
    table = open();
  });

  after(async () => {
    await table[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
  });

  const path = (index: number): string => pods[index]?.path ?? "";
  const address = (index: number): string => addresses[index] ?? "";

  it("lead pods and this machine to a place, under their own address, and nobody else", async () => {
    await table.reset([front(addresses.slice(0, 2))]);
    const seen = new Set<string>();
    for (let times = 0; times < 40 && seen.size < 2; times++) seen.add(await host.askTcp(SERVICE, 80, path(2)));
    const asked = isFiltered ? address(2) : "172.17.0.1";
    assert.deepEqual([...seen].sort(), [`a ${asked}`, `b ${asked}`]);
    assert.match(await host.askTcp(SERVICE, 80), /^[ab] 203\.0\.113\.1$/);
    // Itself: it would answer itself under its own address.
    await table.apply({ add: [front([address(0)])], remove: [] });
    assert.equal(await host.askTcp(SERVICE, 80, path(0)), "a 172.17.0.1");
    assert.equal(await host.succeeds(`nc -w 1 ${SERVICE} 80 </dev/null`, host.outside), false);
    // What nft lists, it can list.
  });

  it("change, and what is led nowhere is refused at once", async () => {
    const other = front([address(2)], { port: 81 });
    await table.apply({ add: [front([address(1)]), other], remove: [] });
    assert.match(await host.askTcp(SERVICE, 80, path(0)), /^b /);
    assert.match(await host.askTcp(SERVICE, 81, path(0)), /^c /);
    const refused = async (port: number): Promise<void> => {
      const began = performance.now();
      assert.equal(await host.succeeds(`nc -w 20 ${SERVICE} ${port} </dev/null`, path(0)), false);
      assert.ok(performance.now() - began < 15_000, "it timed out");
    };
    await table.apply({ add: [front([])], remove: [] });
    await refused(80);
    await refused(4444);
    await table.apply({ add: [], remove: [frontKey(front([]))] });
    assert.match(await host.askTcp(SERVICE, 81, path(0)), /^c /);
    // Somebody's flush is mended with the next change.
    execFileSync("nft", ["flush", "ruleset"]);
    await table.apply({ add: [front([address(0)])], remove: [frontKey(other)] });
    assert.match(await host.askTcp(SERVICE, 80, path(1)), /^a /);
    await manager[Symbol.asyncDispose]();
    manager = await host.open();
  });

  it("are at ports of every address, for everybody, who is seen as who it is unless hidden", async () => {
    await table.apply({ add: [byPort([address(0)])], remove: [] });
    assert.equal(await host.askTcp(HOST, 30080, host.outside), `a ${CLIENT}`);
    assert.match(await host.askTcp("127.0.0.1", 30080), /^a /);
    assert.match(await host.askTcp(HOST, 30080, path(1)), /^a /);
    assert.match(await host.askTcp("172.17.0.1", 30080, path(0)), /^a /);
    await table.apply({ add: [byPort([address(0)], { masquerade: true })], remove: [] });
    assert.equal(await host.askTcp(HOST, 30080, host.outside), "a 172.17.0.1");
    await table.apply({ add: [byPort([])], remove: [] });
    assert.equal(await host.succeeds(`nc -w 20 ${HOST} 30080 </dev/null`, host.outside), false);
    const external = front([address(1)], { address: "203.0.113.200", reach: "everybody" });
    await table.apply({ add: [external], remove: [] });
    assert.match(await host.askTcp("203.0.113.200", 80, path(0)), /^b /);
  });

  it("let in whom they should, where they should not everybody", async () => {
    const external = (...sources: string[]): ServiceFront =>
      front([address(1)], { address: "203.0.113.200", reach: "everybody", sources });
    const reached = (): Promise<boolean> => host.succeeds(`nc -w 1 203.0.113.200 80 </dev/null`, path(0));
    await table.apply({ add: [external("198.51.100.0/24", "172.16.0.0/12", "172.17.0.0/16")], remove: [] });
    assert.equal(await reached(), true);
    await table.apply({ add: [external("172.16.0.0/16", "198.51.100.0/24")], remove: [] });
    assert.equal(await reached(), false);
    await table.apply({ add: [external("0.0.0.0/0")], remove: [] });
    assert.equal(await reached(), true);
    await table.apply({ add: [external("fd00::/8")], remove: [] });
    assert.equal(await reached(), false);
    await table.apply({ add: [], remove: [frontKey(external())] });
  });

  it("take clients back to where they were, for as long as that is there", async () => {
    const sticky = (...places: string[]): ServiceFront[] => [
      front(places, { stickySeconds: 600 }),
      byPort(places, { stickySeconds: 600 }),
    ];
    await table.apply({ add: sticky(address(0), address(1)), remove: [] });
    // What nft cannot list stops its users from listing anything.
    assert.match(execFileSync("nft", ["list", "ruleset"], { encoding: "utf8" }), /@clients4/);
    const ask = async (): Promise<string> => (await host.askTcp(SERVICE, 80, path(2))).slice(0, 1);
    const first = await ask();
    for (let times = 0; times < 12; times++) assert.equal(await ask(), first);
    const byNode = await host.askTcp(HOST, 30080, host.outside);
    for (let times = 0; times < 8; times++) assert.equal(await host.askTcp(HOST, 30080, host.outside), byNode);
    const left = first === "a" ? 1 : 0;
    await table.apply({ add: sticky(address(left)), remove: [] });
    const next = await ask();
    assert.notEqual(next, first);
    // It is remembered where it is now, although the other one comes again.
    await table.apply({ add: sticky(address(0), address(1)), remove: [] });
    for (let times = 0; times < 12; times++) assert.equal(await ask(), next);
  });

  it("UDP too, and a client that goes on sending follows", async () => {
    const udp = { protocol: "udp", port: 53 } as const;
    await table.apply({ add: [front([address(0)], udp)], remove: [] });
    using client = host.udpClient(SERVICE, path(2));
    assert.match((await client.ask(SERVICE, 53)) ?? "", /^a /);
    await table.apply({ add: [front([address(1)], udp)], remove: [] });
    assert.match((await client.ask(SERVICE, 53)) ?? "", /^b /);
  });

  it("stay without the program, are taken over in one step, and go with the instance", async () => {
    await table.reset([front([address(0)]), front([address(1)], { port: 81 })]);
    await table[Symbol.asyncDispose]();
    assert.match(await host.askTcp(SERVICE, 80, path(2)), /^a /);
    table = open();
    await table.reset([front([address(1)])]);
    assert.match(await host.askTcp(SERVICE, 80, path(2)), /^b /);
    assert.equal(await host.succeeds(`nc -w 20 ${SERVICE} 81 </dev/null`, path(2)), false);
    await table.remove();
    assert.doesNotMatch(execFileSync("nft", ["list", "tables"], { encoding: "utf8" }), /-svc/);
    await table.remove();
  });
});
