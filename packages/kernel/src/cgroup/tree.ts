import type { Cgroup, CgroupLayout, CgroupTree } from "./contract.ts";
import { type CgroupHost, detectCgroups } from "./detect.ts";
import { CgroupTreeNone } from "./none.ts";
import { CgroupTreeV1 } from "./v1.ts";
import { CgroupTreeV2 } from "./v2.ts";

/** The groups of a host, in the way that its layout demands. @param host @default this one; what it has is found out once */
export function openCgroupTree(host?: CgroupHost): CgroupTree {
  if (host === undefined) return treeOfThisHost();
  if (host.layout === "none") return new CgroupTreeNone();
  return host.layout === "v2" ? new CgroupTreeV2(host) : new CgroupTreeV1(host);
}

let ofThisHost: CgroupTree | undefined;

function treeOfThisHost(): CgroupTree {
  ofThisHost ??= openCgroupTree(detectCgroups());
  return ofThisHost;
}

/** The group of that name on this host, whether it exists or not; what the host has is found out once. */
export function openCgroup(name: string): Cgroup {
  return treeOfThisHost().open(name);
}

/** What {@link openCgroup} works with. */
export function cgroupLayout(): CgroupLayout {
  return treeOfThisHost().layout;
}
