import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutMountPoints } from "./container-changes.ts";

const changes = (...lines: readonly string[]) =>
  lines.map((line) => ({
    kind: line.startsWith("A") ? ("added" as const) : ("modified" as const),
    path: line.slice(2),
  }));

test("mount points, and directories that were touched only for them, are no changes", () => {
  const mounts = new Set(["/etc/hosts", "/data/deep/volume"]);
  const listed = changes("C /etc", "A /etc/hosts", "A /data", "A /data/deep", "A /data/deep/volume", "A /new");
  assert.deepEqual(withoutMountPoints(listed, mounts), changes("A /new"));
});

test("a directory with another change stays, and so does a changed file under a mount's name", () => {
  const mounts = new Set(["/etc/hosts"]);
  const listed = changes("C /etc", "A /etc/hosts", "A /etc/own");
  assert.deepEqual(withoutMountPoints(listed, mounts), changes("C /etc", "A /etc/own"));
  const edited = changes("C /etc", "C /etc/hosts");
  assert.deepEqual(withoutMountPoints(edited, mounts), edited);
});
