import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import { Unsupported } from "@boxship/base";
import { type MountEntry, parseMountinfo, uncoveredMounts } from "../mountinfo.ts";
import { inUserNamespace } from "../user-namespace.ts";
import type { CgroupLayout } from "./contract.ts";

/** The trees of a host. */
export interface CgroupHost {
  readonly layout: CgroupLayout;
  /** v1 hierarchies: controller (or `name=systemd`) to mount point. Empty under v2. */
  readonly hierarchies: ReadonlyMap<string, string>;
  /** Mount point of the v2 tree, when there is one. */
  readonly unified: string | undefined;
  /** Controllers that can be used: of the v1 hierarchies, or of the v2 tree's root. `blkio` is called `io` here. */
  readonly controllers: ReadonlySet<string>;
}

export interface DetectOptions {
  /** Text of a mountinfo file. @default our own */
  readonly mountinfo?: string;
  /** Text of `/proc/cgroups`. @default this host's */
  readonly cgroups?: string;
  /** Directory that mount points are looked up in. @default "/" */
  readonly root?: string;
  /** Whether trees count only where this process may write to them. @default whether it is in a user namespace */
  readonly onlyWritable?: boolean;
}

/**
 * Finds out which layout the host has, as far as this process may use it. Throws Unsupported when no cgroup filesystem is
 * mounted.
 *
 * A v2 tree counts as `v2` only when no v1 controller is mounted, whatever its own root offers.
 */
export function detectCgroups(options: DetectOptions = {}): CgroupHost {
  const host = mountedCgroups(options);
  if (!(options.onlyWritable ?? inUserNamespace())) return host;
  const trees = host.layout === "v2" ? [host.unified ?? ""] : [...host.hierarchies.values()];
  return trees.every(isWritable) ? host : NO_CGROUPS;
}

const NO_CGROUPS: CgroupHost = { layout: "none", hierarchies: new Map(), unified: undefined, controllers: new Set() };

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function mountedCgroups(options: DetectOptions): CgroupHost {
  const text = options.mountinfo ?? readFileSync("/proc/thread-self/mountinfo", "utf8");
  const mounts = uncoveredMounts(parseMountinfo(text));
  const known = knownControllers(options.cgroups ?? readControllers());
  const root = options.root ?? "/";
  const hierarchies = new Map<string, string>();
  for (const entry of mounts.filter(({ type }) => type === "cgroup")) {
    for (const controller of hierarchyNames(entry, known)) {
      // A hierarchy may be mounted more than once: the first place is the usual one.
      if (!hierarchies.has(controller)) hierarchies.set(controller, join(root, entry.mountPoint));
    }
  }
  const v2 = mounts.find(({ type }) => type === "cgroup2");
  const unified = v2 === undefined ? undefined : join(root, v2.mountPoint);
  if (hierarchies.size > 0) {
    return {
      layout: unified === undefined ? "v1" : "hybrid",
      hierarchies,
      unified,
      controllers: new Set([...hierarchies.keys()].filter((name) => !name.startsWith("name=")).map(neutralName)),
    };
  }
  if (unified === undefined) {
    throw new Unsupported("no cgroup filesystem is mounted", { remedy: "mount cgroup2 on /sys/fs/cgroup" });
  }
  const controllers = readFileSync(join(unified, "cgroup.controllers"), "utf8").trim().split(" ");
  return { layout: "v2", hierarchies, unified, controllers: new Set(controllers.filter((name) => name !== "")) };
}

function readControllers(): string {
  try {
    return readFileSync("/proc/cgroups", "utf8");
  } catch {
    // Kernels without any v1 controller need not have the file.
    return "";
  }
}

function neutralName(controller: string): string {
  return controller === "blkio" ? "io" : controller;
}

/** Column one of `/proc/cgroups`, of enabled controllers. */
function knownControllers(text: string): ReadonlySet<string> {
  const rows = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Set(rows.map((row) => row.split("\t")).flatMap(([name, , , on]) => (on === "1" && name ? [name] : [])));
}

/** The controllers of a v1 mount stand among its super options: `rw,cpu,cpuacct`, or `rw,xattr,name=systemd`. */
function hierarchyNames(entry: MountEntry, known: ReadonlySet<string>): readonly string[] {
  return entry.superOptions.filter((option) => known.has(option) || option.startsWith("name="));
}
