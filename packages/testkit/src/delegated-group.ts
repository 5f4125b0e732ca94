import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { detectCgroups, openCgroupTree } from "@boxship/kernel";

/** A control group of the v2 tree that was given to a user, as systemd's `Delegate=` does it. */
export interface DelegatedGroup extends AsyncDisposable {
  readonly path: string;
  /** What limits can be set by: on a hybrid machine only what no v1 hierarchy has, `hugetlb` usually. */
  readonly controllers: readonly string[];
}

/** Files that a delegation gives away besides the directory; see cgroup-v2(7). */
const GIVEN = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

/** Makes one. Needs root, and a v2 tree. */
export function delegatedGroup(name: string, uid: number): DelegatedGroup {
  const { unified } = detectCgroups({ onlyWritable: false });
  if (unified === undefined) throw new Error("this machine has no v2 tree of control groups");
  const offered = words(join(unified, "cgroup.controllers"));
  for (const controller of offered) switchOn(unified, controller);
  const tree = openCgroupTree({ layout: "v2", hierarchies: new Map(), unified, controllers: new Set(offered) });
  const path = join(unified, name);
  mkdirSync(path);
  for (const file of ["", ...GIVEN]) chownSync(join(path, file), uid, uid);
  for (const controller of offered) switchOn(path, controller);
  return {
    path,
    controllers: words(join(path, "cgroup.controllers")),
    async [Symbol.asyncDispose]() {
      const group = tree.open(`/${name}`);
      // What was killed a moment ago may take another to be gone.
      await group.killAll();
      await group.delete();
    },
  };
}

function words(file: string): string[] {
  return readFileSync(file, "utf8").split(/\s+/).filter(Boolean);
}

function switchOn(directory: string, controller: string): void {
  try {
    writeFileSync(join(directory, "cgroup.subtree_control"), `+${controller}`);
  } catch {
    // One that a v1 hierarchy holds.
  }
}
