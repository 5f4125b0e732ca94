import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { filesystemOf } from "./filesystem-of.ts";
import { bindMount, mount, UnmountFlag, unmount } from "./mount.ts";

test("a file system is named by the outermost place that a directory lies in", () => {
  const root = mkdtempSync(join(tmpdir(), "boxship-filesystem-"));
  mount({ source: "small", target: root, type: "tmpfs", data: "size=1m" });
  try {
    mkdirSync(join(root, "a", "b"), { recursive: true });
    bindMount({ source: join(root, "a"), target: join(root, "a") });
    const name = `${root} (tmpfs on small)`;
    for (const directory of [root, join(root, "a"), join(root, "a", "b")]) assert.equal(filesystemOf(directory), name);
    assert.equal(filesystemOf(join(root, "nothing")), join(root, "nothing"));
    assert.match(filesystemOf("/proc"), /^\/proc \(proc on /);
  } finally {
    unmount(root, UnmountFlag.Detach);
    rmSync(root, { recursive: true });
  }
});
