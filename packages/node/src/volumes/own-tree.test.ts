import assert from "node:assert/strict";
import { chmodSync, chownSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { ownTree } from "./own-tree.ts";

const GROUP = 4321;

test("everything in a tree is made the group's, and nothing that links lead to", async () => {
  await using outside = tempDir();
  await using directory = tempDir();
  const { path } = directory;
  writeFileSync(`${outside.path}/file`, "", { mode: 0o600 });
  mkdirSync(`${path}/sub/deep`, { recursive: true });
  writeFileSync(`${path}/sub/deep/script`, "", { mode: 0o700 });
  writeFileSync(`${path}/file`, "", { mode: 0o400 });
  writeFileSync(Buffer.from(`${path}/\xff`, "latin1"), "");
  symlinkSync(outside.path, `${path}/way-out`);
  symlinkSync(`${outside.path}/file`, `${path}/sub/link`);
  await ownTree(path, GROUP, true);
  const seen = (name: string) => [statSync(`${path}/${name}`).gid, statSync(`${path}/${name}`).mode & 0o7777];
  assert.deepEqual(seen("file"), [GROUP, 0o460]);
  assert.deepEqual(seen("sub/deep/script"), [GROUP, 0o770]);
  assert.deepEqual(seen("sub/deep"), [GROUP, 0o2775]);
  assert.equal(statSync(Buffer.from(`${path}/\xff`, "latin1")).gid, GROUP);
  assert.equal(lstatSync(`${path}/way-out`).gid, GROUP);
  assert.deepEqual([statSync(outside.path).gid, statSync(`${outside.path}/file`).gid], [0, 0]);
  assert.equal(statSync(`${outside.path}/file`).mode & 0o777, 0o600);
});

test("on a mismatch only: what is the group's at its root stays as it is", async () => {
  await using directory = tempDir();
  const file = `${directory.path}/file`;
  writeFileSync(file, "");
  chownSync(directory.path, 0, GROUP);
  chmodSync(directory.path, 0o2770);
  await ownTree(directory.path, GROUP, true);
  assert.equal(statSync(file).gid, 0);
  await ownTree(directory.path, GROUP, false);
  assert.equal(statSync(file).gid, GROUP);
});
