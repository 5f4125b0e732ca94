import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../testing.ts";
import { detectCgroups } from "./detect.ts";

const recorded = (layout: string) => {
  const directory = new URL(`./testdata/${layout}/`, import.meta.url);
  const text = (name: string) => readFileSync(new URL(name, directory), "utf8");
  return detectCgroups({
    mountinfo: text("mountinfo"),
    cgroups: text("cgroups"),
    root: new URL("root", directory).pathname,
  });
};

test("a hybrid host: controllers in v1, a v2 tree beside them", () => {
  const host = recorded("hybrid");
  assert.equal(host.layout, "hybrid");
  assert.match(host.unified ?? "", /\/root\/sys\/fs\/cgroup\/unified$/);
  assert.match(host.hierarchies.get("memory") ?? "", /\/root\/sys\/fs\/cgroup\/memory$/);
  assert.ok(host.hierarchies.has("name=systemd"));
  assert.deepEqual([...host.controllers].toSorted(), [
    "cpu",
    "cpuacct",
    "cpuset",
    "devices",
    "freezer",
    "io",
    "memory",
    "pids",
  ]);
});

test("a v1 host: controllers that are mounted together, a disabled one, no v2 tree", () => {
  const host = recorded("v1");
  assert.equal(host.layout, "v1");
  assert.equal(host.unified, undefined);
  assert.equal(host.hierarchies.get("cpu"), host.hierarchies.get("cpuacct"));
  assert.equal(host.hierarchies.has("xattr"), false);
  assert.equal(host.controllers.has("hugetlb"), false);
});

test("a v2 host: controllers from the root's file", () => {
  const host = recorded("v2");
  assert.equal(host.layout, "v2");
  assert.equal(host.hierarchies.size, 0);
  assert.ok(["cpu", "cpuset", "io", "memory", "pids"].every((name) => host.controllers.has(name)));
});

test("a host without cgroups is refused", () => {
  const mountinfo = "28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n";
  assert.throws(() => detectCgroups({ mountinfo, cgroups: "" }), { code: "Unsupported" });
});

test("this host has some layout", () => {
  assert.ok(["v1", "hybrid", "v2"].includes(detectCgroups().layout));
});

test("where only what may be written counts, other trees are no cgroups at all", () => {
  const mountinfo = "28 1 0:30 / /nowhere rw - cgroup cgroup rw,memory\n";
  const cgroups = "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t4\t1\t1\n";
  assert.equal(detectCgroups({ mountinfo, cgroups, onlyWritable: false }).layout, "v1");
  const host = detectCgroups({ mountinfo, cgroups, onlyWritable: true });
  assert.equal(host.layout, "none");
  assert.equal(host.controllers.size, 0);
});

test("a tree of a cgroup namespace that is mounted over the machine's hides all of it", () => {
  using directory = temporaryDirectory();
  const place = join(directory.path, "sys/fs/cgroup");
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "cgroup.controllers"), "cpu memory pids\n");
  const mountinfo = [
    "88 80 254:0 / / rw,relatime master:1 - ext4 /dev/vda rw",
    "89 88 0:27 / /sys rw,relatime - sysfs sysfs rw",
    "91 89 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
    "95 91 0:32 /../.. /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
    "101 91 0:38 /.. /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
    "90 91 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw",
  ].join("\n");
  const cgroups = "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t4\t1\t1\n";
  const host = detectCgroups({ mountinfo, cgroups, root: directory.path, onlyWritable: true });
  assert.equal(host.layout, "v2");
  assert.equal(host.unified, place);
  assert.deepEqual([...host.controllers], ["cpu", "memory", "pids"]);
});
