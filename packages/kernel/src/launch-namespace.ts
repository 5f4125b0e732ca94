import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemCode } from "@boxship/base";
import type { Fd } from "./fd.ts";
import { detachMount, isMountPoint, setPropagation } from "./mount.ts";
import { mountFilesystem } from "./mount-filesystem.ts";
import { createNamespace, inNamespace } from "./namespace.ts";
import { type Process, watchProcess } from "./process.ts";
import { processExists } from "./signals.ts";
import { type SpawnOptions, spawnUnwatched } from "./spawn.ts";

export interface LaunchNamespaceOptions {
  /** Mount points that programs started inside shall not see. Those where nothing is mounted are ignored. */
  readonly hidden: readonly string[];
}

const SWEEP_EVERY = 64;
const YOUNG_MS = 10_000;

/**
 * A mount namespace to start programs in, in which some mounts are hidden from them. Made for OCI runtimes that refuse
 * hybrid cgroups: without `/sys/fs/cgroup/unified` they take the host for a v1 one.
 *
 * The namespace is a slave of ours. What is mounted or unmounted here later is seen inside if it lies below a *shared*
 * mount: everything is, under systemd; where the root is private, `ensureSharedMount` makes a directory so. That must
 * have happened before this namespace is made, and holds for everything that containers need, their root file systems
 * above all.
 *
 * Starting a program inside costs 20 to 50 µs more than starting it outside: the calling thread itself enters, spawns and
 * returns. No thread or process is kept for it.
 */
export class LaunchNamespace implements Disposable {
  readonly #namespace: Fd;
  readonly #hidden: readonly string[];
  #launches = 0;

  constructor(options: LaunchNamespaceOptions) {
    this.#hidden = options.hidden.filter((path) => existsSync(path) && isMountPoint(path));
    this.#namespace = createNamespace("mnt", () => {
      setPropagation("/", "slave", true);
      for (const path of this.#hidden) hide(path);
    });
  }

  /** Runs a short synchronous task inside. */
  run<T>(task: () => T): T {
    return inNamespace(this.#namespace, "mnt", task);
  }

  /** Starts and watches a program inside; see `spawnProcess`. */
  spawn(options: SpawnOptions): Process {
    if (++this.#launches % SWEEP_EVERY === 0) this.sweep();
    return watchProcess(this.run(() => spawnUnwatched(options)));
  }

  /**
   * Removes what runtimes left in the hidden places: crun makes a directory there for every container and writes a
   * process id into it, as if it were a cgroup, and forgets it. Done by itself every 64 launches.
   */
  sweep(): void {
    this.run(() => {
      for (const path of this.#hidden) sweepDirectory(path);
    });
  }

  /** Programs that run inside go on. */
  [Symbol.dispose](): void {
    this.#namespace.close();
  }
}

/** Puts an empty writable place over a mount, so that nothing is written to the directory underneath, which is the host's. */
function hide(path: string): void {
  try {
    detachMount(path);
  } catch (error) {
    // In a user namespace mounts of the host cannot be taken away, only covered.
    if (systemCode(error) !== "EINVAL") throw error;
  }
  mountFilesystem({
    type: "tmpfs",
    source: "boxship-hidden",
    target: path,
    options: [
      ["size", "16m"],
      ["mode", "755"],
    ],
  });
}

/**
 * Removes what is old and holds no process, at every depth: the directory of an instance is as young as its last container,
 * and is held by any of them.
 *
 * @returns whether nothing is left in the directory but its own files
 */
function sweepDirectory(directory: string): boolean {
  let isEmpty = true;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(directory, entry.name);
    // Removing what is in it makes a directory young.
    const isYoung = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) <= YOUNG_MS;
    if (sweepDirectory(path) && !isYoung && !holdsProcess(path)) rmSync(path, { recursive: true, force: true });
    else isEmpty = false;
  }
  return isEmpty;
}

/** Whether any process is alive whose id stands in the directory's `cgroup.procs`. */
function holdsProcess(directory: string): boolean {
  const file = join(directory, "cgroup.procs");
  if (!existsSync(file)) return false;
  return readFileSync(file, "utf8")
    .split("\n")
    .some((pid) => pid !== "" && processExists(Number(pid)));
}
