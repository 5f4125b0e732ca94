import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { type Readiness, watchDescriptor } from "./event-loop.ts";
import { openLeakReport, setNonBlocking } from "./fd.ts";
import { read, writeAll } from "./file-data.ts";
import { CurrentDirectory, OpenFlag, openat } from "./open.ts";
import { pipe, socketPair } from "./pipe.ts";
import { runProcess } from "./run-process.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));
const here = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);

test("a watch reports readiness until the data is read, then hang-up", async () => {
  using ends = pipe();
  const seen: Readiness[] = [];
  using watch = watchDescriptor(ends.readEnd, { readable: true }, (ready) => seen.push(ready));
  await turn();
  await turn();
  assert.equal(seen.length, 0);
  writeAll(ends.writeEnd, Buffer.from("x"));
  while (seen.length < 3) await turn();
  assert.ok(seen.every(({ readable, hangup }) => readable && !hangup));
  read(ends.readEnd, Buffer.alloc(8));
  seen.length = 0;
  ends.writeEnd.close();
  while (seen.length === 0) await turn();
  assert.equal(seen[0]?.hangup, true);
  watch.change({});
  await turn();
  seen.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(seen.length, 0, "a watch without interest is silent even about a hang-up");
});

test("promises that a callback settles run before the next callback's turn", async () => {
  using ends = pipe();
  await new Promise<void>((resolve) => {
    const watch = watchDescriptor(ends.readEnd, { readable: true }, () => {
      watch[Symbol.dispose]();
      void Promise.resolve().then(resolve);
    });
    writeAll(ends.writeEnd, Buffer.from("x"));
  });
});

test("an event of a watch that was disposed by another callback is dropped", async () => {
  using first = pipe();
  using second = pipe();
  let calls = 0;
  const once = () => {
    calls++;
    for (const watch of watches) watch[Symbol.dispose]();
  };
  const watches = [first, second].map((ends) => watchDescriptor(ends.readEnd, { readable: true }, once));
  writeAll(first.writeEnd, Buffer.from("x"));
  writeAll(second.writeEnd, Buffer.from("x"));
  for (let round = 0; round < 5; round++) await turn();
  assert.equal(calls, 1);
});

test("files that cannot be polled, and a second watch of the same descriptor, are refused", () => {
  using file = openat(CurrentDirectory, "/etc/passwd", OpenFlag.ReadOnly);
  assert.throws(() => watchDescriptor(file, { readable: true }, () => {}), { code: "EPERM" });
  using ends = pipe();
  using _watch = watchDescriptor(ends.readEnd, { readable: true }, () => {});
  assert.throws(() => watchDescriptor(ends.readEnd, { readable: true }, () => {}), { code: "EEXIST" });
});

test("500 descriptors and 20,000 messages arrive, and nothing stays open", async () => {
  const before = openLeakReport();
  const pairs = Array.from({ length: 250 }, () => socketPair());
  const buffer = Buffer.alloc(64);
  let received = 0;
  const watches = pairs.map(([end]) => {
    setNonBlocking(end, true);
    return watchDescriptor(end, { readable: true }, () => {
      received += read(end, buffer) ?? 0;
    });
  });
  for (let round = 0; round < 80; round++) {
    for (const [, other] of pairs) writeAll(other, Buffer.from("x"));
    await turn();
  }
  const complete = () => received === 80 * 250;
  while (!complete()) await turn();
  for (const watch of watches) watch[Symbol.dispose]();
  for (const end of pairs.flat()) end.close();
  assert.deepEqual(openLeakReport(before), []);
});

/** Runs a program that watches descriptors, and returns how it ended. */
async function runProgram(body: string): Promise<{ code: number | undefined; stderr: string }> {
  const program = `
    import { watchDescriptor } from ${here("./event-loop.ts")};
    import { pipe } from ${here("./pipe.ts")};
    import { writeAll } from ${here("./file-data.ts")};
    ${body}`;
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", program];
  const { code, stderr } = await runProcess({ file: process.execPath, args, timeout: 20_000 });
  return { code, stderr: String(stderr) };
}

test("the process ends by itself, whatever is watched or ready meanwhile", async () => {
  const ready = `const ends = pipe(); writeAll(ends.writeEnd, Buffer.from("x"));`;
  const [unreferenced, exiting, throwing, disposed] = await Promise.all([
    runProgram(`${ready} watchDescriptor(ends.readEnd, { readable: true }, () => {}).unref();`),
    runProgram(`${ready} watchDescriptor(ends.readEnd, { readable: true }, () => process.exit(7));`),
    runProgram(`${ready} watchDescriptor(ends.readEnd, { readable: true }, () => { throw new Error("mine"); });`),
    runProgram(`const ends = pipe(); watchDescriptor(ends.readEnd, { readable: true }, () => {})[Symbol.dispose]();`),
  ]);
  assert.deepEqual(unreferenced, { code: 0, stderr: "" });
  assert.deepEqual(exiting, { code: 7, stderr: "" });
  assert.equal(throwing.code, 1);
  assert.match(throwing.stderr, /Error: mine/);
  assert.deepEqual(disposed, { code: 0, stderr: "" });
});

test("on a worker thread watching is refused by name", async () => {
  const source = `
    import { parentPort } from "node:worker_threads";
    import { watchDescriptor } from ${here("./event-loop.ts")};
    try { watchDescriptor(0, {}, () => {}); } catch (error) { parentPort.postMessage(error.code); }`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  const code = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  assert.equal(code, "Unsupported");
});
