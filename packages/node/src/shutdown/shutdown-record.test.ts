import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { FakeClock, silentLogger } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { ShutdownRecord } from "./shutdown-record.ts";

test("the times of the last shutdown are known after it, and none where nothing can be read or written", async () => {
  await using files = tempDir();
  const clock = new FakeClock(1_000_500);
  const open = (name: string) => ShutdownRecord.open({ path: files.join(name), clock, logger: silentLogger });
  const times = async (name: string) => {
    const { start, end } = await open(name);
    return [start, end];
  };
  const record = await open("state");
  assert.deepEqual([record.start, record.end], [0, 0]);
  await record.began();
  assert.deepEqual(await times("state"), [1000.5, 0]);
  await clock.advance(2000);
  await record.ended();
  assert.deepEqual(await times("state"), [1000.5, 1002.5]);
  await record.began();
  assert.deepEqual(await times("state"), [1002.5, 0]);
  await writeFile(files.join("odd"), "{");
  assert.deepEqual(await times("odd"), [0, 0]);
  await mkdir(files.join("taken"));
  const lost = await open("taken");
  await lost.began();
  assert.equal(lost.start, 1002.5);
});
