import assert from "node:assert/strict";
import { test } from "node:test";
import { checkCgroupParent, checkNamespaceModes } from "./check-host-config.ts";

test("a cgroup parent stays inside the tree", () => {
  for (const parent of [undefined, "", "a", "/a/b", "a..b", "x.slice"]) checkCgroupParent(parent);
  for (const parent of ["..", "../../a", "/a/../b", "/a/..", "a\0b"]) {
    assert.throws(() => checkCgroupParent(parent), { code: "InvalidArgument", message: /^invalid cgroup parent/ });
  }
});

test("a hostname needs a UTS namespace of the container's own", () => {
  assert.throws(() => checkNamespaceModes({ utsMode: "host" }, { hostname: "x" }), {
    message: "conflicting options: hostname and the UTS mode",
  });
  checkNamespaceModes({ utsMode: "host" }, { hostname: "" });
  checkNamespaceModes({ utsMode: "private" }, { hostname: "x" });
});
