import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { silentLogger, systemClock } from "@boxship/base";
import { readLog } from "../log/read-log.ts";
import { LogRotation } from "../log/rotate-log.ts";
import { exitOf, INSTALLED_RUNTIMES, openTestBed, type TestBed } from "../testing.ts";

const LINES = 30_000;

async function linesOf(path: string, follow?: Promise<unknown>): Promise<readonly string[]> {
  const options = { path, stdout: true, stderr: true, ...(follow === undefined ? {} : { follow }) };
  return (await Array.fromAsync(readLog(options), ({ data }) => data.toString())).join("").trimEnd().split("\n");
}

for (const name of INSTALLED_RUNTIMES) {
  describe(`the log of a container on ${name}`, () => {
    let bed: TestBed;
    before(async () => {
      bed = await openTestBed(name);
    });
    after(() => bed[Symbol.asyncDispose]());

    test("is rotated while it is written, and no line is lost", async () => {
      const { runtime, directory } = bed;
      const logPath = join(directory, "rotated.log");
      const script = `i=0; while [ $i -lt ${LINES} ]; do echo line $i; i=$((i+1)); [ $((i % 500)) -gt 0 ] || sleep 0.02; done`;
      const request = bed.container(["sh", "-c", script], { logPath });
      await runtime.create(request);
      await using _rotation = new LogRotation({
        path: logPath,
        maxSize: 100_000,
        maxFile: 1000,
        compress: false,
        reopen: () => runtime.reopenLog(request.id),
        // A look every 50 ms instead of every second.
        clock: { ...systemClock, setTimeout: (ms, callback) => systemClock.setTimeout(ms / 20, callback) },
        logger: silentLogger,
      });
      const exit = exitOf(runtime, request.id);
      const following = linesOf(logPath, exit);
      await runtime.start(request.id);
      await exit;
      const wanted = Array.from({ length: LINES }, (_, index) => `line ${index}`);
      assert.deepEqual(await following, wanted);
      assert.deepEqual(await linesOf(logPath), wanted);
      assert.ok(readdirSync(directory).filter((file) => file.startsWith("rotated.log.")).length > 1);
      await runtime.delete(request.id);
    });

    test("holds both streams, long lines and what has no end", async () => {
      const logPath = join(bed.directory, "mixed.log");
      const script = "echo out; echo err >&2; head -c 30000 /dev/zero | tr '\\0' x; echo; printf 'no end'";
      await bed.run(["sh", "-c", script], { logPath });
      const entries = await Array.fromAsync(readLog({ path: logPath, stdout: true, stderr: true }));
      const text = (stream: string) =>
        entries
          .filter((entry) => entry.stream === stream)
          .map(({ data }) => data.toString())
          .join("");
      assert.equal(text("stdout"), `out\n${"x".repeat(30_000)}\nno end`);
      assert.equal(text("stderr"), "err\n");
    });
  });
}
