import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { etcdProgram, startEtcd, tempDir } from "@boxship/testkit";
import { openEtcdStore } from "./etcd/open-etcd-store.ts";
import { openSqliteReader } from "./sqlite/open-sqlite-reader.ts";
import { checkHistory } from "./testing/check-history.ts";
import { killableStore } from "./testing/killable-store.ts";
import { type History, HistoryRecorder } from "./testing/record-history.ts";

const ROUNDS = Number(process.env["BOXSHIP_HISTORY_ROUNDS"] ?? 0);
/** Writes that are acknowledged between two blows. */
const BETWEEN = 60;

test("SQLite: its process is killed at random, and the history holds", { timeout: 1_200_000 }, async (t) => {
  await using directory = tempDir("history");
  await using store = killableStore(directory.join("state.db"));
  await store.start();
  const recorder = new HistoryRecorder(store);
  for (let round = 0; round < (ROUNDS || 6); round++) {
    await recorder.progress(BETWEEN);
    await delay(Math.random() * 30);
    await store.kill();
    await store.start();
  }
  await recorder.progress(BETWEEN);
  const history = await recorder.stop();
  t.diagnostic(`${history.writes.length} writes, ${history.reads.length} reads`);
  await checkHistory(store, history);
  for (const falsified of lies(history)) await assert.rejects(checkHistory(store, falsified), assert.AssertionError);
  await using reader = await openSqliteReader(directory.join("state.db"));
  assert.deepEqual(await reader.check(), []);
});

/** Histories that must not pass: the checker would notice. */
function* lies({ writes, reads, watches }: History): Generator<History> {
  const at = writes.findIndex(({ acknowledged }) => acknowledged?.succeeded === true);
  const write = writes[at];
  const [read] = reads.filter(({ items }) => items.length > 0);
  const [watch] = watches;
  assert.ok(write?.acknowledged !== undefined && read !== undefined && watch !== undefined);
  const { revision } = write.acknowledged;
  const acknowledged = (changed: typeof write.acknowledged) => [
    { ...write, acknowledged: changed },
    ...writes.toSpliced(at, 1),
  ];
  yield { writes: acknowledged({ revision: revision + 1, succeeded: true }), reads, watches };
  yield { writes: acknowledged({ revision, succeeded: false }), reads, watches };
  yield {
    writes: [...writes, { mark: "lost", transaction: {}, after: 0, acknowledged: { revision, succeeded: true } }],
    reads,
    watches,
  };
  yield { writes: writes.toSpliced(at, 1), reads, watches };
  yield { writes, reads: [{ ...read, after: read.revision + 1 }], watches };
  yield { writes, reads: [{ ...read, items: read.items.slice(1) }], watches };
  const { from, events } = watch;
  const [first, second, ...rest] = events;
  assert.ok(first !== undefined && second !== undefined);
  for (const told of [
    [second, ...rest],
    [first, first, second, ...rest],
    [second, first, ...rest],
  ]) {
    yield { writes, reads, watches: [{ from, events: told }] };
  }
}

test("etcd: members are killed and cut off at random, and the history holds", {
  timeout: 3_600_000,
  skip: etcdProgram("current") === undefined ? "etcd is not on this machine" : false,
}, async (t) => {
  await using etcd = await startEtcd({ release: "current", members: 3 });
  await using store = await openEtcdStore({ endpoints: etcd.endpoints, requestTimeout: 1500 });
  const watchFrom = (from: number) => store.watch({ start: "", end: "" }, { from });
  const all = { range: store.range.bind(store), transact: store.transact.bind(store), watchFrom };
  const recorder = new HistoryRecorder(all);
  for (let round = 0; round < (ROUNDS || 3); round++) {
    await recorder.progress(BETWEEN);
    const victim = etcd.members[Math.floor(Math.random() * 3)];
    if (round % 2 === 0) {
      victim?.kill("SIGKILL");
      await victim?.ended();
      await recorder.progress(BETWEEN);
      await victim?.start();
    } else {
      victim?.kill("SIGSTOP");
      await recorder.progress(BETWEEN);
      victim?.kill("SIGCONT");
    }
  }
  await recorder.progress(BETWEEN);
  const history = await recorder.stop();
  t.diagnostic(`${history.writes.length} writes, ${history.reads.length} reads`);
  await checkHistory(all, history);
});
