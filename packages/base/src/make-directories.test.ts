import { deepEqual, rejects } from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeDirectories } from "./make-directories.ts";

test("directories are made with their parents, and refused where the kernel makes none", async () => {
  const directory = mkdtempSync(join(tmpdir(), "boxship-directories-"));
  try {
    const deep = join(directory, "a/b/c");
    deepEqual([await makeDirectories(deep, 0o700), await makeDirectories(deep, 0o700)], [true, false]);
    deepEqual(statSync(deep).mode & 0o777, 0o700);
    writeFileSync(join(deep, "file"), "");
    await rejects(makeDirectories(join(deep, "file"), 0o700), { code: "EEXIST" });
    for (const path of ["/proc/nosuch", "/proc/nosuch/deep"])
      await rejects(makeDirectories(path, 0o755), { message: "mkdir /proc/nosuch: no such file or directory" });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
