import assert from "node:assert/strict";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { endRemovalWorkers, removeTreeAway } from "./empty-directory.ts";

test("trees of every size are removed, a file, and what is not there", async () => {
  await using work = tempDir("empty-directory");
  const kept = work.join("kept");
  writeFileSync(kept, "");
  for (const count of [0, 3, 300]) {
    const tree = work.join(`tree-${count}`);
    mkdirSync(`${tree}/a/b`, { recursive: true });
    for (let index = 0; index < count; index++) writeFileSync(`${tree}/a/b/${index}`, "");
    // Names are bytes, and no link is followed.
    mkdirSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff])]));
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0x2f, 0xfe])]), "");
    symlinkSync(kept, `${tree}/link`);
    await removeTreeAway(tree);
    assert.equal(existsSync(tree), false, `${count}`);
  }
  assert.equal(existsSync(kept), true);
  await removeTreeAway(kept);
  assert.equal(existsSync(kept), false);
  await removeTreeAway(work.join("missing"));
  await endRemovalWorkers();
});
