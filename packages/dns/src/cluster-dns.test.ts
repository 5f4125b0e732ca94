import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { FakeClock, silentLogger } from "@boxship/base";
import { FollowServices, openHttpClient } from "@boxship/client";
import { bindSocket } from "@boxship/kernel";
import { type Answer, type AnswerRecord, RecordType, ResolverServer, ResponseCode } from "@boxship/network";
import { startApiServer, tempDir } from "@boxship/testkit";
import { ClusterDns } from "./cluster-dns.ts";

/** A name server of others: `outside.test` has an address and an alias, `many.test` more than a datagram takes. */
class Others implements Disposable {
  readonly port: number;
  readonly asked: string[] = [];
  isSilent = false;
  readonly #server: ResolverServer;

  constructor() {
    const udp = bindSocket({ protocol: "udp", address: "127.0.0.1", port: 0 });
    const tcp = bindSocket({ protocol: "tcp", address: "127.0.0.1", port: udp.port });
    this.port = udp.port;
    this.#server = new ResolverServer(
      { udp: udp.fd.release(), tcp: tcp.fd.release() },
      {
        answer: ({ name, type }) => (this.isSilent ? undefined : this.#answer(name, type)),
        forward: () => new Promise(() => {}),
      },
    );
  }

  #answer(name: string, type: number): Answer {
    this.asked.push(name);
    const four = type === RecordType.A;
    const address = (last: number, owner?: string): AnswerRecord => ({
      type: "address",
      address: `198.51.100.${last}`,
      ttl: 20,
      ...(owner === undefined ? {} : { owner }),
    });
    if (name === "outside.test" && four) return { code: ResponseCode.NoError, records: [address(1)] };
    if (name === "alias.test" && four) {
      const alias: AnswerRecord = { type: "alias", name: "outside.test", ttl: 20 };
      return { code: ResponseCode.NoError, records: [alias, address(1, "outside.test")] };
    }
    if (name === "many.test" && four) {
      return { code: ResponseCode.NoError, records: Array.from({ length: 60 }, (_, index) => address(index)) };
    }
    const start = { type: "start", server: "a.test", mailbox: "b.test", serial: 1, minimum: 10, ttl: 10 } as const;
    return { code: ResponseCode.NameError, records: [], authority: [start] };
  }

  [Symbol.dispose](): void {
    this.#server[Symbol.dispose]();
  }
}

test("a cluster's name server answers for its services, follows aliases, asks others, and remembers", async () => {
  await using directory = tempDir();
  await using api = await startApiServer();
  const createConnection = () => api.connect();
  await using client = openHttpClient({ server: "http://in-process", createConnection, userAgent: "test" });
  const services = { group: "", version: "v1", resource: "services", namespace: "default" };
  const create = async (name: string, spec: Parameters<typeof client.create>[1]["spec"]) =>
    await client.create(services, { apiVersion: "v1", kind: "Service", metadata: { name }, spec: spec ?? {} });
  await create("web", { clusterIP: "10.96.3.3", ports: [{ name: "http", port: 80 }] });
  await create("out", { type: "ExternalName", externalName: "alias.test" });
  await create("near", { type: "ExternalName", externalName: "web.default.svc.cluster.local" });
  await create("loop", { type: "ExternalName", externalName: "loop.default.svc.cluster.local" });
  await using following = new FollowServices({ client, logger: silentLogger });
  using others = new Others();
  const resolvConf = directory.join("resolv.conf");
  writeFileSync(resolvConf, "nameserver 127.0.0.1\n");
  const clock = new FakeClock();
  await using dns = new ClusterDns({
    client,
    services: following,
    resolvConf,
    upstreamPort: others.port,
    clock,
    logger: silentLogger,
  });
  await dns.ready;
  const resolver = new Resolver({ timeout: 20_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${dns.port}`]);
  const zone = "default.svc.cluster.local";
  assert.deepEqual(await resolver.resolve4(`web.${zone}`), ["10.96.3.3"]);
  const [place] = await resolver.resolveSrv(`_http._tcp.web.${zone}`);
  assert.deepEqual([place?.name, place?.port], [`web.${zone}`, 80]);
  assert.deepEqual(await resolver.reverse("10.96.3.3"), [`web.${zone}`]);
  assert.deepEqual(await resolver.reverse("10.96.0.1"), [`kubernetes.${zone}`]);
  await assert.rejects(resolver.resolve4(`absent.${zone}`), { code: "ENOTFOUND" });
  await assert.rejects(resolver.resolve6(`web.${zone}`), { code: "ENODATA" });
  // Aliases are followed to their end, inside and outside.
  assert.deepEqual(await resolver.resolve4(`out.${zone}`), ["198.51.100.1"]);
  assert.deepEqual(await resolver.resolve4(`near.${zone}`), ["10.96.3.3"]);
  assert.deepEqual(await resolver.resolveCname(`out.${zone}`), ["alias.test"]);
  await assert.rejects(resolver.resolve4(`loop.${zone}`), { code: "ESERVFAIL" });
  // A change is told at once.
  await create("late", { clusterIP: "10.96.3.4", ports: [{ port: 80 }] });
  for (let tries = 0; ; tries++) {
    const found = await resolver.resolve4(`late.${zone}`).catch(() => []);
    if (found[0] === "10.96.3.4") break;
    assert.ok(tries < 5000, "it is not told of");
  }
  // Others are asked once, by TCP when they have much to say, and for what is not there.
  others.asked.length = 0;
  for (let times = 0; times < 3; times++) assert.deepEqual(await resolver.resolve4("OutSide.test"), ["198.51.100.1"]);
  assert.deepEqual(others.asked, ["outside.test"]);
  assert.equal((await resolver.resolve4("many.test")).length, 60);
  others.asked.length = 0;
  for (let times = 0; times < 3; times++) await assert.rejects(resolver.resolve4("no.test"), { code: "ENOTFOUND" });
  assert.deepEqual(others.asked, ["no.test"]);
  // Times go down while an answer is kept, and it is asked for again after that; without anybody to ask, it goes on.
  await clock.advance(15_000);
  assert.deepEqual(await resolver.resolve4("outside.test", { ttl: true }), [{ address: "198.51.100.1", ttl: 5 }]);
  await clock.advance(10_000);
  others.asked.length = 0;
  assert.deepEqual(await resolver.resolve4("outside.test", { ttl: true }), [{ address: "198.51.100.1", ttl: 20 }]);
  assert.deepEqual(others.asked, ["outside.test"]);
  // Where nobody answers in time, what is too old is told before clients give up.
  await clock.advance(60_000);
  others.isSilent = true;
  const old = resolver.resolve4("outside.test").then((addresses) => ({ addresses }));
  for (let waited = 0; ; waited += 100) {
    const told = await Promise.race([old, delay(10)]);
    if (told !== undefined) {
      assert.deepEqual(told.addresses, ["198.51.100.1"]);
      break;
    }
    assert.ok(waited < 3000, "nothing is told");
    await clock.advance(100);
  }
  await clock.advance(60_000);
  others[Symbol.dispose]();
  assert.deepEqual(await resolver.resolve4("outside.test"), ["198.51.100.1"]);
  await assert.rejects(resolver.resolve4("never.test"), { code: "ESERVFAIL" });
});
