import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { silentLogger } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { PodStore } from "./pod-store.ts";
import { POD_RECORD_VERSION, type PodRecord } from "./record.ts";

test("a pod that has ended on a full disk has, and can be removed", async () => {
  await using directory = tempDir("pods");
  const disk = directory.join("disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "boxship", disk]);
  const store = await PodStore.open(disk, silentLogger);
  const record = { version: POD_RECORD_VERSION, id: "one", state: "ready", addresses: [] } as unknown as PodRecord;
  await store.save(record);
  assert.throws(
    () => {
      for (;;) appendFileSync(`${disk}/rest`, Buffer.alloc(512));
    },
    { code: "ENOSPC" },
  );
  const stopped: PodRecord = { ...record, state: "stopped" };
  await assert.rejects(store.save(stopped), { code: "ResourceExhausted" });
  await store.note(stopped);
  assert.equal(store.get("one")?.state, "stopped");
  const next = await PodStore.open(disk, silentLogger);
  assert.equal(next.get("one")?.state, "ready", "it is to be looked at again");
  await next.note(stopped);
  await next.delete("one");
  assert.deepEqual(readdirSync(`${disk}/pods`), []);
});
