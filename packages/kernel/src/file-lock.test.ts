import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { tryLockFile } from "./file-lock.ts";

test("a lock excludes a second holder until it is disposed", () => {
  const directory = mkdtempSync(join(tmpdir(), "boxship-lock-"));
  try {
    const path = join(directory, "lock");
    const first = tryLockFile(path);
    assert.ok(first);
    assert.equal(tryLockFile(path), undefined);
    first[Symbol.dispose]();
    using second = tryLockFile(path);
    assert.ok(second);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
