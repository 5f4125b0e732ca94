import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Logger, systemCode } from "@boxship/base";
import { cgroupLayout, openCgroup, openCgroupTree } from "@boxship/kernel";

/**
 * Makes the group below which runtimes will make those of containers, with processors and memory nodes where cgroup v1
 * gives it none: of several runtimes that find such a group at the same moment, one may move its process before another
 * has filled it in, which fails with ENOSPC. Without effect on a group that is ready, and where there are no groups.
 *
 * The group stays when its containers are gone; a reset of the instance removes its own.
 */
export async function prepareCgroupParent(parent: string, logger: Logger): Promise<void> {
  if (parent === "/" || cgroupLayout() === "none") return;
  try {
    if (!isReady(parent)) await openCgroupTree().create(parent);
  } catch (error) {
    // What cannot be made here may be possible for the runtime, which says best what it lacks.
    logger.debug("the parent of control groups is left to the runtime", { parent, error });
  }
}

function isReady(parent: string): boolean {
  const group = openCgroup(parent);
  const cpuset = cgroupLayout() === "v2" ? undefined : group.path("cpuset");
  if (cpuset === undefined) return group.exists();
  try {
    return ["cpuset.cpus", "cpuset.mems"].every((file) => readFileSync(join(cpuset, file), "utf8").trim() !== "");
  } catch (error) {
    const code = systemCode(error);
    if (code !== "ENOENT" && code !== "ENODEV" && code !== "ENOTDIR") throw error;
    return false;
  }
}
