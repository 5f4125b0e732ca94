import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync } from "node:fs";
import { test } from "node:test";
import {
  holdClusterRecord,
  readClusterRecord,
  removeClusterRecord,
  writeClusterRecord,
} from "@boxship/base/cluster-record";
import { tempDir } from "@boxship/testkit";

test("a cluster that is started by hand on a full disk is meant to be up, with other flags, too", async () => {
  await using directory = tempDir("up");
  const disk = directory.join("disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "boxship", disk]);
  const fill = (): void => {
    assert.throws(
      () => {
        for (;;) appendFileSync(`${disk}/rest`, Buffer.alloc(512));
      },
      { code: "ENOSPC" },
    );
  };
  const record = { flags: ["--port", "6443"], server: "https://127.0.0.1:6443", kubeconfig: "/none" };
  const other = { ...record, flags: [] };
  await writeClusterRecord(disk, record);
  fill();
  await holdClusterRecord(disk);
  assert.equal(await readClusterRecord(disk), undefined, "the engine does not start it meanwhile");
  fill();
  for (const next of [record, other]) {
    await holdClusterRecord(disk);
    await writeClusterRecord(disk, next);
    assert.deepEqual(await readClusterRecord(disk), next);
    assert.deepEqual(readdirSync(disk).sort(), ["rest", "up.json"]);
  }
  await holdClusterRecord(disk);
  await removeClusterRecord(disk);
  assert.deepEqual(readdirSync(disk), ["rest"]);
  fill();
  await assert.rejects(writeClusterRecord(disk, record), { code: "ResourceExhausted" });
});
