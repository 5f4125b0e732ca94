import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { bindMount } from "@boxship/kernel";
import { tempDir } from "@boxship/testkit";
import { Volumes } from "./volumes.ts";

test("what a container has mounted in its volume stays when the pod's files go", async () => {
  await using directory = tempDir();
  const kept = directory.join("kept");
  const own = directory.join("node", "pods", "uid", "volumes", "v", "deep");
  for (const path of [kept, own]) mkdirSync(path, { recursive: true });
  writeFileSync(`${kept}/file`, "of the machine\n");
  bindMount({ source: kept, target: own });
  const volumes = new Volumes(directory.join("node"), {
    prepare: () => Promise.resolve(undefined),
    placeOf: () => Promise.resolve(undefined),
  });
  await volumes.remove("uid");
  assert.equal(readFileSync(`${kept}/file`, "utf8"), "of the machine\n");
  assert.ok(!existsSync(directory.join("node", "pods", "uid")));
  assert.deepEqual(await volumes.uids(), []);
});
