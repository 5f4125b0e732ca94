import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { silentLogger } from "@boxship/base";
import { endStorageWorkers } from "../storage-pool.ts";
import { emptyDirectoryAway } from "../tree/empty-directory.ts";
import { Trash } from "./trash.ts";

after(endStorageWorkers);

function sandbox(): Disposable & { readonly root: string } {
  const root = mkdtempSync(join(tmpdir(), "boxship-trash-"));
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}

/** Directories in directories, and files in all of them. */
function plant(directory: string, files: number): void {
  for (let index = 0; index < files; index++) {
    const place = join(directory, `d${index % 10}`, `e${index % 3}`);
    if (index < 30) mkdirSync(place, { recursive: true });
    writeFileSync(join(place, `f${index}`), "");
  }
}

test("closing does not wait for a large tree; the next to open goes on", async () => {
  using box = sandbox();
  plant(join(box.root, "tree"), 3000);
  const trash = new Trash(join(box.root, "trash"), silentLogger);
  assert.equal(await trash.take(join(box.root, "tree")), true);
  await trash.close(0);
  assert.equal(readdirSync(join(box.root, "trash")).length, 1, "it was not waited for");
  const next = new Trash(join(box.root, "trash"), silentLogger);
  next.empty();
  await next.settled();
  assert.deepEqual(readdirSync(join(box.root, "trash")), []);
});

test("several threads empty one directory", async () => {
  using box = sandbox();
  plant(box.root, 2000);
  await Promise.all([emptyDirectoryAway(box.root), emptyDirectoryAway(box.root)]);
  assert.deepEqual(readdirSync(box.root), []);
});
