import type { CgroupLimits } from "./limits.ts";
import type { CgroupStats } from "./stats.ts";

/**
 * Control groups, the same for every layout that a Linux host may have. Two implementations: `v1` (also for the v1 half
 * of a hybrid host, where the controllers are) and `v2`. Both run `cgroup.suite.ts`. A third, `none`, is for processes that
 * may write to no tree: no group exists there, and what needs one is `Unsupported`.
 *
 * Names are absolute paths inside the tree, `/boxship/abc`; they are what an OCI configuration calls `cgroupsPath`.
 */
export interface CgroupTree {
  readonly layout: CgroupLayout;
  /** Controllers that can be used, by their v1 names without version prefix: `cpu`, `memory`, `pids`, `cpuset`, `io` … */
  readonly controllers: ReadonlySet<string>;
  /**
   * Makes the group, its ancestors, and (v2) switches the controllers on for it. Idempotent.
   *
   * Throws FailedPrecondition when an ancestor holds processes and v2 therefore refuses to give its children controllers
   * (the rule of no internal processes).
   */
  create(name: string): Promise<Cgroup>;
  /** The group of that name, whether it exists or not. Touches nothing. */
  open(name: string): Cgroup;
}

/**
 * Where the controllers are: `hybrid` has a v2 tree besides, without the controllers that matter here; with `none` this
 * process may write to no tree.
 */
export type CgroupLayout = "v1" | "hybrid" | "v2" | "none";

export interface Cgroup {
  readonly name: string;
  /** The directory of a controller, or of the whole group under v2. Undefined when the controller is not there. */
  path(controller: string): string | undefined;
  exists(): boolean;
  /**
   * Applies limits; what is left undefined stays as it is. Not atomic: throws at the first file that refuses, naming it.
   * A limit whose controller or file the host lacks is Unsupported, and is found before anything is written.
   */
  setLimits(limits: CgroupLimits): Promise<void>;
  /** What the group and all below it have used. A section is undefined when its controller is not there. */
  stats(): Promise<CgroupStats>;
  /** Stops every process in the group, and resolves once all stand still. Idempotent. */
  freeze(): Promise<void>;
  /** Lets them go on. Idempotent. */
  thaw(): Promise<void>;
  /** Whether everything in the group stands still, or will in a moment. One small file, read at once. */
  frozen(): boolean;
  /** Ids of the processes in the group and below it; [] when it does not exist. */
  processes(): Promise<readonly number[]>;
  /** Moves a process, with all its threads, into the group. */
  addProcess(pid: number): Promise<void>;
  /** Kills every process in the group and below it, and resolves once none is left. */
  killAll(): Promise<void>;
  /**
   * Removes the group and those below it; one that does not exist is success. Dying processes are waited for shortly, then
   * it is a Conflict.
   */
  delete(): Promise<void>;
  /** Removes the group and those below it at once; one that does not exist is success. @returns false when a process is left */
  removeNow(): boolean;
  /** How many processes were killed for lack of memory so far. One small file, read at once; 0 without the controller. */
  outOfMemoryKills(): number;
  /**
   * Calls back after each out-of-memory kill in the group, with the number of kills so far. Event-driven. Dispose it
   * before the group is deleted. Unsupported without the memory controller.
   */
  watchOutOfMemory(callback: (kills: number) => void): Disposable;
  /** Calls back once when no process is left in the group and below it, or at once when there is none. Event-driven. */
  watchEmpty(callback: () => void): Disposable;
}
