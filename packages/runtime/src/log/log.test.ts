import assert from "node:assert/strict";
import { appendFile, mkdtemp, readdir, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { type Clock, silentLogger, systemClock } from "@boxship/base";
import fc from "fast-check";
import { LogBlock } from "./log-block.ts";
import { parseLogLine } from "./log-line.ts";
import { type ReadLogOptions, readLog } from "./read-log.ts";
import { LogRotation } from "./rotate-log.ts";

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "boxship-log-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const EPOCH = Date.parse("2026-01-01T00:00:00Z");

/** Entry number n is n seconds into the year. */
function line(n: number, text = `line ${n}`, stream = "stdout", tag = "F"): string {
  const time = new Date(EPOCH + n * 1000).toISOString().replace("Z", "000000+00:00");
  return `${time} ${stream} ${tag} ${text}\n`;
}

async function read(options: Partial<ReadLogOptions> & { readonly path: string }): Promise<string[]> {
  const entries = readLog({ stdout: true, stderr: true, ...options });
  return Array.fromAsync(entries, ({ data }) => data.toString().trimEnd());
}

test("lines are parsed with their time in UTC, torn and foreign ones are not", () => {
  const entry = parseLogLine(Buffer.from("2026-11-21T10:00:00.5+02:00 stderr P a  b"));
  assert.equal(entry?.time, "2026-11-21T08:00:00.500000000Z");
  assert.equal(entry?.milliseconds, Date.parse("2026-11-21T08:00:00.5Z"));
  assert.deepEqual([entry?.stream, entry?.complete, entry?.data.toString()], ["stderr", false, "a  b"]);
  assert.equal(parseLogLine(Buffer.from(line(1, "").trimEnd() + " "))?.data.toString(), "\n");
  for (const bad of [
    "",
    "x",
    "2026-11-21T10:00:00Z stdout",
    "2026-11-21T10:00:00Z stdin F x",
    "yesterday stdout F x",
  ]) {
    assert.equal(parseLogLine(Buffer.from(bad)), undefined, bad);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void parseLogLine(Buffer.from(bytes))));
});

test("the last lines are found over plain and compressed files, whatever their lengths", async (t) => {
  const path = join(await directory(t), "log");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ size: fc.nat(90_000), part: fc.boolean(), err: fc.boolean() }), { maxLength: 30 }),
      fc.nat(12),
      fc.nat(30),
      fc.nat(30),
      async (shapes, tail, cut1, cut2) => {
        const lines = shapes.map(({ size, part, err }, n) => {
          const last = n === shapes.length - 1;
          return line(
            n,
            `${n}-${"x".repeat(size % (n % 3 === 0 ? 90_000 : 50))}`,
            err ? "stderr" : "stdout",
            part && !last ? "P" : "F",
          );
        });
        const [a, b] = [cut1 % (lines.length + 1), cut2 % (lines.length + 1)].sort((x, y) => x - y);
        await writeFile(`${path}.2.gz`, gzipSync(lines.slice(0, a).join("")));
        await writeFile(`${path}.1`, lines.slice(a, b).join(""));
        await writeFile(path, `${lines.slice(b).join("")}2026-01-01T00:00:00Z stdout F torn`);
        for (const stdout of [true, false]) {
          const all: string[] = [];
          let open = false;
          for (const [n, { err, part }] of shapes.entries()) {
            if (err === stdout) continue;
            const text = `${n}-`;
            if (open) all[all.length - 1] += `+${text}`;
            else all.push(text);
            open = part && n !== shapes.length - 1;
          }
          const got: string[] = [];
          let continued = false;
          for await (const entry of readLog({ path, stdout, stderr: !stdout, tail })) {
            const text = entry.data.toString().slice(0, entry.data.indexOf("-") + 1);
            if (continued) got[got.length - 1] += `+${text}`;
            else got.push(text);
            continued = !entry.complete;
          }
          assert.deepEqual(got, tail === 0 ? [] : all.slice(-tail));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("since and until cut by time, and since is found without reading everything before", async (t) => {
  const path = join(await directory(t), "log");
  await writeFile(path, Array.from({ length: 20_000 }, (_, n) => line(n)).join(""));
  const got = await read({ path, since: EPOCH + 15_000_000, until: EPOCH + 15_002_000 });
  assert.deepEqual(got, ["line 15000", "line 15001", "line 15002"]);
  assert.deepEqual(await read({ path, since: EPOCH + 15_000_500, until: EPOCH + 15_001_000 }), ["line 15001"]);
  assert.deepEqual(await read({ path, since: EPOCH + 90_000_000 }), []);
  assert.deepEqual(await read({ path: `${path}-absent` }), []);
});

test("following sees every line once, over rotations, from before the first to after the last", async (t) => {
  const path = join(await directory(t), "log");
  const over = Promise.withResolvers<void>();
  const reading = read({ path, follow: over.promise });
  for (let n = 0; n < 300; n++) {
    await appendFile(path, line(n));
    if (n % 50 === 49) await rename(path, `${path}.1`);
    if (n % 20 === 0) await delay(2);
  }
  over.resolve();
  assert.deepEqual(
    await reading,
    Array.from({ length: 300 }, (_, n) => `line ${n}`),
  );
});

test("a slow reader misses no file that was rotated away before it got there", async (t) => {
  const path = join(await directory(t), "log");
  await writeFile(path, line(0));
  const over = Promise.withResolvers<void>();
  const reading = readLog({ path, stdout: true, stderr: true, follow: over.promise });
  const first = await reading.next();
  const got = [first.value?.data.toString().trimEnd()];
  for (let n = 1; n < 6; n++) {
    await rename(path, `${path}.${10 - n}`);
    await writeFile(`${path}.tmp`, line(n));
    await rename(`${path}.tmp`, path);
    await delay(30);
  }
  over.resolve();
  for await (const { data } of reading) got.push(data.toString().trimEnd());
  assert.deepEqual(
    got,
    Array.from({ length: 6 }, (_, n) => `line ${n}`),
  );
});

test("a log that is emptied by hand under a follower goes on from its new beginning", async (t) => {
  const path = join(await directory(t), "log");
  await writeFile(path, line(1) + line(2));
  const over = Promise.withResolvers<void>();
  const reading = readLog({ path, stdout: true, stderr: true, follow: over.promise });
  const got: string[] = [];
  const text = async () => void got.push((await reading.next()).value?.data.toString().trimEnd() ?? "");
  await text();
  await text();
  const third = text();
  await delay(20);
  await truncate(path, 0);
  await delay(20);
  await appendFile(path, line(3));
  await third;
  over.resolve();
  for await (const { data } of reading) got.push(data.toString().trimEnd());
  assert.deepEqual(got, ["line 1", "line 2", "line 3"]);
});

test("blocks and single lines are parsed alike, whatever is between them", () => {
  const text = fc.string({ unit: "binary", maxLength: 20 }).map((part) => part.replaceAll("\n", ""));
  const foreign = fc.oneof(
    text,
    text.map((rest) => `2026-01-01T00:00:00.123456789+02:00 stdout F ${rest}`),
    text.map((rest) => `2026-01-01T00:00:00Z stderr P ${rest}`),
    text.map((rest) => line(3, rest, "stderr", "P").trimEnd()),
    text.map((rest) => `2026-01-01T00:00:00.123456789+00:00 stdxxx F ${rest}`),
  );
  fc.assert(
    fc.property(fc.array(foreign, { maxLength: 120 }), (lines) => {
      const block = new LogBlock(Buffer.from(`${lines.join("\n")}\n`));
      const got = Array.from({ length: block.length }, (_, index) => ({
        stream: block.isStderr(index) ? "stderr" : "stdout",
        complete: block.isComplete(index),
        time: block.time(index),
        data: block.bytes.subarray(block.dataStart(index), block.dataEnd(index)).toString(),
      }));
      const want = lines.flatMap((single) => {
        const entry = parseLogLine(Buffer.from(single));
        if (entry === undefined) return [];
        const { stream, complete, time, data } = entry;
        return [{ stream, complete, time, data: data.toString() }];
      });
      assert.deepEqual(got, want);
    }),
  );
});

test("a reader that is no longer wanted ends, also while it waits", async (t) => {
  const path = join(await directory(t), "log");
  await writeFile(path, line(1));
  const stop = new AbortController();
  const reading = read({ path, follow: new Promise(() => {}), signal: stop.signal });
  await delay(20);
  stop.abort();
  assert.deepEqual(await reading, ["line 1"]);
});

test("a log that fills fast is looked at often, one that rests is not", async (t) => {
  const path = join(await directory(t), "log");
  await writeFile(path, "");
  const waits: number[] = [];
  const rotated = new Set<number>();
  const clock: Clock = {
    ...systemClock,
    setTimeout(ms, callback) {
      if (ms >= 50) waits.push(ms);
      return systemClock.setTimeout(ms, callback);
    },
  };
  const reopen = async () => {
    rotated.add(rotated.size);
    await writeFile(path, "");
  };
  await using _rotation = new LogRotation({
    path,
    maxSize: 1_000_000,
    maxFile: 100,
    compress: false,
    reopen,
    clock,
    logger: silentLogger,
  });
  for (let quiet = 0; quiet < 200; quiet += 20) await delay(20);
  const resting = waits.length;
  const block = "x".repeat(100_000);
  for (let count = 0; count < 60; count++) {
    await appendFile(path, block);
    await delay(5);
  }
  while (rotated.size < 3) await delay(10);
  const sizes = await Promise.all([1, 2, 3].map(async (number) => (await stat(`${path}.${number}`)).size));
  // Twenty blocks are written in each tenth of a second at most.
  assert.ok(Math.max(...sizes) < 3_000_000, sizes.join(", "));
  assert.ok(resting <= 2, `${resting} looks while nothing was written`);
});

test("a log that has grown is rotated, compressed, and its oldest file goes", async (t) => {
  const folder = await directory(t);
  const path = join(folder, "log");
  await writeFile(path, line(0, "x".repeat(2000)));
  let reopened = 0;
  const rotation = new LogRotation({
    path,
    maxSize: 1000,
    maxFile: 3,
    compress: true,
    reopen: async () => {
      reopened++;
      await writeFile(path, line(reopened, "x".repeat(2000)));
    },
    clock: { ...systemClock, setTimeout: (ms, callback) => systemClock.setTimeout(ms / 50, callback) },
    logger: silentLogger,
  });
  const rotations = () => reopened;
  while (rotations() < 4) {
    await delay(5);
    if (reopened < 4) await appendFile(path, "");
    await appendFile(path, line(reopened, "more")).catch(() => {});
  }
  await rotation[Symbol.asyncDispose]();
  const files = (await readdir(folder)).sort();
  assert.deepEqual(files, ["log", "log.1.gz", "log.2.gz"]);
  const whole = await read({ path });
  assert.equal(whole.filter((text) => text.startsWith("xxx")).length, 3);
});
