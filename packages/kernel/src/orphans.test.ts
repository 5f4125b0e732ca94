import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { readableFrom } from "./descriptor-stream.ts";
import { adoptOrphans } from "./orphans.ts";
import { pipe } from "./pipe.ts";
import { type ExitStatus, spawnProcess } from "./process.ts";
import { failOnLeaks } from "./testing.ts";

failOnLeaks();

/** Runs a script that prints process ids, and ends. */
async function ended(script: string): Promise<{ readonly pids: readonly number[]; readonly status: ExitStatus }> {
  using output = pipe();
  const parent = spawnProcess({ file: "/bin/sh", args: ["-c", script], stdio: { 1: output.writeEnd } });
  output.writeEnd.close();
  const pids = (await text(readableFrom(output.readEnd))).trim().split(/\s+/).map(Number);
  return { pids, status: await parent.exited };
}

test("orphans are reaped, whether they end before or after their parent; our children keep their statuses", async () => {
  using _adoption = adoptOrphans();
  const [early, late, ...own] = await Promise.all([
    // A parent that never waits: what it became has no children of its own.
    ended("(sleep 0 & echo $!; exec >&-; exec sleep 0.2)"),
    ended("sleep 0.2 & echo $!"),
    ...Array.from({ length: 20 }, (_, code) => ended(`echo 0; exit ${code}`)),
  ]);
  assert.deepEqual(
    own.map(({ status }) => status.code),
    own.map((_, code) => code),
  );
  const orphans = [early, late].flatMap((each) => each?.pids ?? []);
  assert.equal(orphans.length, 2);
  // Without a reaper they would stay for as long as we live.
  while (orphans.some((pid) => existsSync(`/proc/${pid}`))) await delay(5);
});
