import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { InvalidArgument, Unavailable } from "@boxship/base";
import {
  type EtcdMember,
  etcdCertificates,
  etcdProgram,
  startEtcd,
  type TempDir,
  type TestEtcd,
  tempDir,
} from "@boxship/testkit";
import type { Store, WatchBatch } from "../contract.ts";
import { prefixRange } from "../key-range.ts";
import { storeSuite } from "../testing/store-suite.ts";
import { openEtcdStore } from "./open-etcd-store.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);
const absent = (release: "stable" | "current") =>
  etcdProgram(release) === undefined ? `etcd (${release}) is not on this machine` : false;

for (const release of ["stable", "current"] as const) {
  if (absent(release) !== false) continue;
  storeSuite(`etcd, ${release}`, async () => {
    await using stack = new AsyncDisposableStack();
    const { endpoints } = stack.use(await startEtcd({ release }));
    const store = stack.use(await openEtcdStore({ endpoints }));
    const owned = stack.move();
    return { store, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  });
}

/** Puts a number, again and again until it is there: whether a change was made that nobody answered, a look tells. */
async function append(store: Store, key: string, number: number): Promise<void> {
  const value = bytes(String(number));
  const compare = [{ key, target: "value", value: bytes(String(number - 1)) } as const];
  for (;;) {
    try {
      const first = number === 0 ? [{ key, target: "createRevision", value: 0 } as const] : compare;
      const { succeeded, results } = await store.transact({
        compare: first,
        success: [{ kind: "put", key, value }],
        failure: [{ kind: "range", range: { start: key } }],
      });
      const [found] = results;
      const now = found?.kind === "range" ? text(found.items[0]?.value ?? bytes("")) : "";
      assert.ok(succeeded || now === String(number), `${now} instead of ${number}`);
      return;
    } catch (error) {
      if (!(error instanceof Unavailable) && (error as Error).name !== "DeadlineExceeded") throw error;
      await delay(50);
    }
  }
}

/** Values of the put events of a watch, until one of them is the last. */
async function valuesUntil(batches: AsyncIterable<WatchBatch>, last: string): Promise<readonly string[]> {
  const values: string[] = [];
  for await (const { events } of batches) {
    for (const event of events) values.push(event.kind === "put" ? text(event.item.value) : "gone");
    if (values.at(-1) === last) break;
  }
  return values;
}

/** Stops a process; its threads may go on for a moment after the signal. */
async function stop(member: EtcdMember): Promise<void> {
  const { pid } = member;
  member.kill("SIGSTOP");
  const isStopped = (task: string): boolean =>
    /^\d+ \(.*\) T/.test(readFileSync(`/proc/${pid}/task/${task}/stat`, "utf8"));
  while (!readdirSync(`/proc/${pid}/task`).every(isStopped)) await delay(2);
}

const expected = Array.from({ length: 30 }, (_, index) => String(index));

describe("a cluster of three", { skip: absent("current"), timeout: 180_000 }, () => {
  async function cluster(stack: AsyncDisposableStack): Promise<readonly [TestEtcd, Store]> {
    const etcd = stack.use(await startEtcd({ release: "current", members: 3 }));
    return [etcd, stack.use(await openEtcdStore({ endpoints: etcd.endpoints, requestTimeout: 4000 }))];
  }

  test("without a majority nothing is acknowledged, and all goes on with it", async () => {
    await using stack = new AsyncDisposableStack();
    const [etcd, store] = await cluster(stack);
    await using watch = store.watch(prefixRange("/n"));
    await watch.ready;
    const seen = valuesUntil(watch, "29");
    for (let number = 0; number < 10; number++) await append(store, "/n", number);
    for (const each of etcd.members.slice(0, 2)) await stop(each);
    await assert.rejects(store.transact({ success: [{ kind: "put", key: "/other", value: bytes("1") }] }));
    await assert.rejects(store.range({ start: "/n" }));
    for (const each of etcd.members.slice(0, 2)) each.kill("SIGCONT");
    for (let number = 10; number < 30; number++) await append(store, "/n", number);
    assert.deepEqual(await seen, expected);
  });
});

test("a quiet watch tells how far it is", { skip: absent("current") }, async () => {
  await using etcd = await startEtcd({ release: "current" });
  await using store = await openEtcdStore(etcd);
  await using watch = store.watch(prefixRange("/mine"), { progress: 50 });
  await watch.ready;
  const { revision } = await store.transact({ success: [{ kind: "put", key: "/other", value: bytes("1") }] });
  for await (const batch of watch) {
    assert.deepEqual(batch.events, []);
    if (batch.revision === revision) break;
  }
});

test("a store that is closed ends its watches", { skip: absent("stable") }, async () => {
  await using etcd = await startEtcd();
  const store = await openEtcdStore(etcd);
  const watch = store.watch(prefixRange(""));
  await watch.ready;
  const looping = valuesUntil(watch, "never");
  await store[Symbol.asyncDispose]();
  await assert.rejects(looping, { name: "Unavailable", message: "the store is closed" });
  await assert.rejects(store.range({ start: "a" }), { name: "Unavailable", message: "the store is closed" });
});

test("where no etcd is, that is said, with all addresses", async () => {
  await assert.rejects(openEtcdStore({ endpoints: [] }), InvalidArgument);
  for (const endpoint of ["127.0.0.1:2379", "ftp://127.0.0.1", "http://"]) {
    await assert.rejects(openEtcdStore({ endpoints: [endpoint] }), InvalidArgument, endpoint);
  }
  await assert.rejects(
    openEtcdStore({ endpoints: ["http://127.0.0.1:1", "http://127.0.0.1:2"], requestTimeout: 300 }),
    (error: unknown) => {
      assert.ok(error instanceof Unavailable);
      assert.match(error.message, /127\.0\.0\.1:1: .*ECONNREFUSED.*127\.0\.0\.1:2: .*ECONNREFUSED/);
      return error.remedy !== undefined;
    },
  );
});

test("that etcd wants a user is nobody's fault who asks us", { skip: absent("current") }, async () => {
  await using etcd = await startEtcd({ release: "current" });
  await using store = await openEtcdStore(etcd);
  const ask = async (what: string, body: object): Promise<void> => {
    const { status } = await fetch(`${etcd.endpoints[0]}/v3/auth/${what}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    assert.equal(status, 200);
  };
  await ask("user/add", { name: "root", password: "x" });
  await ask("role/add", { name: "root" });
  await ask("user/grant", { user: "root", role: "root" });
  await ask("enable", {});
  const refused = { name: "Internal", message: /^etcd does not let us in: .*user name is empty/ };
  await assert.rejects(store.range({ start: "a" }), refused);
  await assert.rejects(store.transact({ success: [{ kind: "put", key: "a", value: bytes("1") }] }), refused);
  await assert.rejects(openEtcdStore(etcd), refused);
});

test("by TLS, only who is known is let in, and only whom we know is talked to", {
  skip: absent("stable"),
}, async () => {
  await using directory = tempDir("etcd-tls");
  await using foreign = tempDir("etcd-tls");
  await etcdCertificates(directory);
  await etcdCertificates(foreign);
  const [ca, certificate, key] = ["ca.pem", "server.pem", "server.key"].map((name) => directory.join(name));
  assert.ok(ca !== undefined && certificate !== undefined && key !== undefined);
  await using etcd = await startEtcd({ tls: { ca, certificate, key } });
  const { endpoints } = etcd;
  const read = (from: TempDir, name: string) => readFileSync(from.join(name));
  const known = { certificate: read(directory, "client.pem"), key: read(directory, "client.key") };
  {
    await using store = await openEtcdStore({ endpoints, tls: { ca: read(directory, "ca.pem"), ...known } });
    await store.transact({ success: [{ kind: "put", key: "a", value: bytes("1") }] });
    assert.equal((await store.range({ start: "a" })).count, 1);
  }
  const refused = (tls: NonNullable<Parameters<typeof openEtcdStore>[0]["tls"]>) =>
    assert.rejects(openEtcdStore({ endpoints, tls, requestTimeout: 500 }), (error: unknown) => {
      assert.ok(error instanceof Unavailable && error.remedy !== undefined);
      assert.match(error.message, /^(?:no member of etcd answers \(|etcd at )127\.0\.0\.1:\d+/);
      return true;
    });
  await refused({ ca: read(directory, "ca.pem") });
  await refused({ ca: read(foreign, "ca.pem"), ...known });
  const stranger = { certificate: read(foreign, "client.pem"), key: read(foreign, "client.key") };
  await refused({ ca: read(directory, "ca.pem"), ...stranger });
});
