import assert from "node:assert/strict";
import { appendFile, readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { AuditLog } from "./audit-log.ts";

const lines = async (path: string) =>
  (await readFile(path, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { n: number });

test("what is recorded together is written once, in order, and rotated", async () => {
  await using directory = tempDir("audit");
  const path = directory.join("deep", "audit.log");
  {
    await using log = await AuditLog.open({ path, maxSize: 500, maxFiles: 3 });
    for (let batch = 0; batch < 20; batch++) {
      await Promise.all(Array.from({ length: 10 }, (_, n) => log.record({ n: batch * 10 + n })));
    }
  }
  assert.deepEqual((await readdir(directory.join("deep"))).sort(), ["audit.log", "audit.log.1", "audit.log.2"]);
  const kept = (await Promise.all([`${path}.2`, `${path}.1`, path].map(lines))).flat().map(({ n }) => n);
  assert.equal(kept.at(-1), 199);
  assert.deepEqual(
    kept,
    [...kept].sort((a, b) => a - b),
  );
  for (const file of [path, `${path}.1`, `${path}.2`]) assert.ok((await readFile(file)).length <= 500);
});

test("a line that a crash has cut does not spoil the next", async () => {
  await using directory = tempDir("audit");
  const path = directory.join("audit.log");
  {
    await using log = await AuditLog.open({ path });
    await log.record({ n: 1 });
  }
  await appendFile(path, '{"n":2,"met');
  {
    await using log = await AuditLog.open({ path });
    await log.record({ n: 3 });
  }
  assert.equal(await readFile(path, "utf8"), '{"n":1}\n{"n":2,"met\n{"n":3}\n');
});

test("what cannot be written is refused", async () => {
  await using directory = tempDir("audit");
  await assert.rejects(AuditLog.open({ path: directory.path }));
  const log = await AuditLog.open({ path: directory.join("audit.log") });
  await log.record({ n: 1 });
  await log[Symbol.asyncDispose]();
  await assert.rejects(log.record({ n: 2 }), { code: "Unavailable", message: /nothing is done unaudited/ });
});
