import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "@boxship/base";
import { cgroupLayout, openCgroup } from "@boxship/kernel";
import { INSTALLED_RUNTIMES, openTestBed } from "../testing.ts";
import { prepareCgroupParent } from "./cgroup-parent.ts";

const AT_ONCE = 20;

test("a parent is ready for processes before any runtime sees it", { skip: noCpuset() }, async (t) => {
  const parent = `/boxship-parent-${process.pid}/inner`;
  t.after(() => openCgroup(`/boxship-parent-${process.pid}`).delete());
  await Promise.all(Array.from({ length: 5 }, () => prepareCgroupParent(parent, silentLogger)));
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    assert.notEqual(readFileSync(join(openCgroup(parent).path("cpuset") ?? "", file), "utf8").trim(), "");
  }
});

test("the first containers below a parent that is new are made at the same moment, by whichever runtimes", async () => {
  await using bed = await openTestBed(INSTALLED_RUNTIMES[0] ?? "crun");
  const { runtime, options } = bed;
  const parent = `${options.cgroupParent}/new`;
  const requests = Array.from({ length: AT_ONCE }, (_, index) => {
    const id = `parent-${process.pid}-${index}`;
    const name = INSTALLED_RUNTIMES[index % INSTALLED_RUNTIMES.length] ?? "crun";
    return { ...bed.container(["true"], { id, spec: { cgroupsPath: `${parent}/${id}` } }), runtime: name };
  });
  const created = await Promise.allSettled(requests.map((request) => runtime.create(request)));
  await Promise.all(requests.map(({ id }) => runtime.delete(id)));
  await openCgroup(parent).delete();
  assert.deepEqual(
    created.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : [])),
    [],
  );
});

function noCpuset(): string | false {
  const given =
    (cgroupLayout() === "v1" || cgroupLayout() === "hybrid") && openCgroup("/x").path("cpuset") !== undefined;
  return given ? false : "no cpuset of cgroup v1 here";
}
