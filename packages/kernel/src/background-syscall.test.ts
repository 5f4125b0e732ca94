import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { syscallInBackground } from "./background-syscall.ts";
import { setNonBlocking } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { read } from "./file-data.ts";
import { pipe } from "./pipe.ts";
import { runProcess } from "./run-process.ts";
import { failOnLeaks } from "./testing.ts";

failOnLeaks();

/** struct timespec */
function milliseconds(ms: number): Buffer {
  const time = Buffer.alloc(16);
  time.writeBigInt64LE(BigInt(ms) * 1_000_000n, 8);
  return time;
}

test("the call runs on another thread, and its result comes back", async () => {
  const other = await syscallInBackground("gettid", []);
  assert.notEqual(other, syscall("gettid", []));
  assert.ok(other > 0);
});

test("arguments and buffers arrive; errors have their names", async () => {
  using ends = pipe();
  setNonBlocking(ends.readEnd, true);
  const bytes = Buffer.from("from the thread");
  assert.equal(await syscallInBackground("write", [ends.writeEnd.number, bytes, bytes.length]), bytes.length);
  const buffer = Buffer.alloc(100);
  assert.equal(buffer.toString("utf8", 0, read(ends.readEnd, buffer)), "from the thread");
  await assert.rejects(syscallInBackground("write", [9999, bytes, 1], "nowhere"), {
    code: "EBADF",
    message: "write nowhere: EBADF",
  });
});

test("the event loop runs on while a call waits", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await syscallInBackground("nanosleep", [milliseconds(150), 0]);
  clearInterval(timer);
  assert.ok(turns > 2, `${turns} turns`);
});

test("2000 calls, 100 at once, under allocation pressure: every result is its own", { timeout: 60_000 }, async () => {
  for (let round = 0; round < 20; round++) {
    const calls = Array.from({ length: 100 }, async (_, index) => {
      using ends = pipe();
      const bytes = Buffer.alloc(index + 1, index);
      const length = await syscallInBackground("write", [ends.writeEnd.number, bytes, bytes.length]);
      const buffer = Buffer.alloc(200);
      assert.equal(read(ends.readEnd, buffer), length);
      assert.ok(buffer.subarray(0, length).equals(bytes));
    });
    const garbage = Array.from({ length: 2000 }, () => Buffer.alloc(500));
    await Promise.all(calls);
    assert.equal(garbage.length, 2000);
  }
  // The threads go; Node's own stay.
  while (readdirSync("/proc/self/task").length >= 30) await delay(5);
});

test("the process waits for a call that runs, and process.exit does not", async () => {
  const program = (ending: string) => `
    import { syscallInBackground } from ${JSON.stringify(new URL("./background-syscall.ts", import.meta.url).href)};
    const time = Buffer.alloc(16);
    time.writeBigInt64LE(${ending === "" ? "50_000_000n" : "20n"}, ${ending === "" ? 8 : 0});
    syscallInBackground("nanosleep", [time, 0]).then(() => console.log("slept"));
    ${ending}`;
  const run = (ending: string) =>
    runProcess({
      file: process.execPath,
      args: ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", program(ending)],
      timeout: 15_000,
    });
  const [waited, exited] = await Promise.all([run(""), run("setImmediate(() => process.exit(3));")]);
  assert.deepEqual([waited.code, String(waited.stdout), String(waited.stderr)], [0, "slept\n", ""]);
  assert.deepEqual([exited.code, String(exited.stdout), String(exited.stderr)], [3, "", ""]);
});
