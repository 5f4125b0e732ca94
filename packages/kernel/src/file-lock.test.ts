import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
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

test("a transient lock takes its file with it, and nobody holds one that is gone", () => {
  const directory = mkdtempSync(join(tmpdir(), "boxship-lock-"));
  try {
    const path = join(directory, "lock");
    for (let round = 0; round < 3; round++) {
      using first = tryLockFile(path, { transient: true });
      assert.ok(first);
      assert.equal(tryLockFile(path, { transient: true }), undefined);
    }
    assert.equal(existsSync(path), false);
    // Removed by somebody else: the next one locks a file of its own, and the first does not remove that.
    using _held = tryLockFile(path);
    rmSync(path);
    using second = tryLockFile(path, { transient: true });
    assert.ok(second);
    assert.equal(tryLockFile(path), undefined);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
