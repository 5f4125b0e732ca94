import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceDirectories } from "./instance-directories.ts";

test("root's instances are the machine's", () => {
  const env = { HOME: "/root", XDG_DATA_HOME: "/d", XDG_RUNTIME_DIR: "/r" };
  assert.deepEqual(instanceDirectories("boxship", { env, uid: 0 }), {
    root: "/var/lib/boxship",
    runDir: "/run/boxship",
  });
  assert.deepEqual(instanceDirectories("two", { env, uid: 0 }), {
    root: "/var/lib/boxship-two",
    runDir: "/run/boxship-two",
  });
});

test("a user's instances are below the user's own directories", () => {
  const env = { HOME: "/home/u", XDG_RUNTIME_DIR: "/run/user/7" };
  const own = { root: "/home/u/.local/share/boxship", runDir: "/run/user/7/boxship" };
  assert.deepEqual(instanceDirectories("boxship", { env, uid: 7 }), own);
  assert.equal(instanceDirectories("two", { env: { ...env, XDG_DATA_HOME: "/d" }, uid: 7 }).root, "/d/boxship-two");
});

test("without usable variables there still are places, which carry the user's id", () => {
  const env = { XDG_DATA_HOME: "relative", XDG_RUNTIME_DIR: "" };
  const fallback = { root: "/home/7/.local/share/boxship", runDir: "/tmp/boxship-7/boxship" };
  assert.deepEqual(instanceDirectories("boxship", { env, uid: 7 }), fallback);
});
