import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroupSuite } from "./cgroup.suite.ts";
import { detectCgroups } from "./detect.ts";
import { openCgroupTree } from "./tree.ts";
import { CgroupTreeV1 } from "./v1.ts";
import { CgroupTreeV2 } from "./v2.ts";

const host = detectCgroups();

cgroupSuite("v1", {
  skip: host.layout === "v2" ? "this host has no v1 hierarchies" : undefined,
  open: () => new CgroupTreeV1(host),
});

// The v2 tree of a hybrid host has the core files, which is all but limits and usage.
cgroupSuite("v2", {
  skip: host.unified === undefined ? "this host has no v2 tree" : undefined,
  skipControllers: host.layout === "v2" ? undefined : "the controllers of this host are in v1 hierarchies",
  open: () => new CgroupTreeV2({ ...host, layout: "v2" }),
});

test("where no tree may be written no group exists, and what needs one is refused by name", async () => {
  const tree = openCgroupTree({ layout: "none", hierarchies: new Map(), unified: undefined, controllers: new Set() });
  await assert.rejects(tree.create("/a"), { code: "Unsupported", message: /^cgroup \/a cannot be made: / });
  const group = tree.open("/a");
  assert.equal(group.exists(), false);
  assert.deepEqual(await group.processes(), []);
  await assert.rejects(group.freeze(), { code: "Unsupported" });
  await assert.rejects(group.setLimits({ pids: 3 }), { code: "Unsupported" });
  await group.killAll();
  await group.delete();
});
