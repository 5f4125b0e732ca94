import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { appendFile, readdir, stat, truncate, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { silentLogger, systemClock } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { LogRotation } from "./rotate-log.ts";

test("a log that takes long to compress is rotated meanwhile, and compressed when there is time", async () => {
  await using directory = tempDir();
  const path = directory.join("0.log");
  const until = async (there: (names: readonly string[]) => boolean): Promise<void> => {
    for (let names = await readdir(directory.path); !there(names); names = await readdir(directory.path))
      await delay(5);
  };
  await writeFile(path, "");
  const rotation = new LogRotation({
    path,
    maxSize: 1000,
    maxFile: 3,
    compress: true,
    reopen: () => writeFile(path, "", { flag: "a" }),
    clock: systemClock,
    logger: silentLogger,
  });
  // Nothing is on the disk, and nobody compresses so much in a test's time.
  await truncate(path, 2 ** 42);
  await until((names) => names.includes("0.log.1.gz.tmp"));
  for (const times of [1, 2]) {
    await appendFile(path, "x".repeat(1000));
    if (times === 1) await until((names) => names.includes("0.log.2"));
    // The third of them is too much.
    else await until((names) => names.includes("0.log.1.gz") && names.includes("0.log.2.gz"));
  }
  await rotation[Symbol.asyncDispose]();
  assert.deepEqual((await readdir(directory.path)).sort(), ["0.log", "0.log.1.gz", "0.log.2.gz"]);
  assert.ok((await stat(path)).size === 0 && existsSync(path));
});
