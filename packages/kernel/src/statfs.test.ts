import assert from "node:assert/strict";
import { statfs } from "node:fs/promises";
import { test } from "node:test";
import { statfsInBackground } from "./statfs.ts";

test("a file system's space is what Node says it is", async () => {
  const { blockBytes, blocks, files } = await statfsInBackground("/");
  const { bsize, blocks: theirs, files: theirFiles } = await statfs("/");
  assert.deepEqual({ blockBytes, blocks, files }, { blockBytes: bsize, blocks: theirs, files: theirFiles });
  const { available, filesFree } = await statfsInBackground("/proc");
  assert.deepEqual({ available, filesFree }, { available: 0, filesFree: 0 });
  await assert.rejects(statfsInBackground("/is/not/there"), { code: "ENOENT" });
});
