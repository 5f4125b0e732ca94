import assert from "node:assert/strict";
import { test } from "node:test";
import { spawnProcess } from "./process.ts";
import { clampResourceLimit, resourceLimit, resourceName, setResourceLimit } from "./resource-limit.ts";

test("names in both spellings", () => {
  assert.equal(resourceName("nofile"), "nofile");
  assert.equal(resourceName("RLIMIT_NPROC"), "nproc");
  assert.throws(() => resourceName("files"), { code: "InvalidArgument" });
  assert.throws(() => resourceName("constructor"), { code: "InvalidArgument" });
});

test("limits of another process are read and lowered", async () => {
  const child = spawnProcess({ file: "/bin/sleep", args: ["60"] });
  const { hard } = resourceLimit("nofile", child.pid);
  setResourceLimit("nofile", { soft: 100, hard: Math.min(200, hard) }, child.pid);
  assert.deepEqual(resourceLimit("nofile", child.pid), { soft: 100, hard: Math.min(200, hard) });
  setResourceLimit("core", { soft: 0, hard: resourceLimit("core", child.pid).hard }, child.pid);
  assert.equal(resourceLimit("core", child.pid).soft, 0);
  child.kill(9);
  await child.exited;
  assert.throws(() => resourceLimit("nofile", 2 ** 22 + 1), { code: "ESRCH" });
});

test("a wish is cut to what can be had", () => {
  const present = { soft: 1024, hard: 20_000 };
  const clamp = (soft: number, hard: number, mayRaise: boolean) =>
    clampResourceLimit({ soft, hard }, present, mayRaise);
  assert.deepEqual(clamp(100, 200, false), { limit: { soft: 100, hard: 200 }, clamped: false });
  assert.deepEqual(clamp(1e6, Infinity, false), { limit: { soft: 20_000, hard: 20_000 }, clamped: true });
  assert.deepEqual(clamp(1e6, Infinity, true), { limit: { soft: 1e6, hard: Infinity }, clamped: false });
});
