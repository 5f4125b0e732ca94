import { readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, Internal, sleep, systemCode } from "@boxship/base";
import { kill, readMountinfo, SyscallError } from "@boxship/kernel";
import { readSmallFile } from "./record.ts";

const SIGKILL = 9;
const POLL_MS = 2;
const LONGEST_WAIT_MS = 5000;

/**
 * The cgroups of containers, whatever the host's layout: one directory per hierarchy on v1 and hybrid hosts, one in
 * all on v2. Paths are as in OCI's `cgroupsPath`.
 */
export class CgroupAccess {
  readonly version: "v1" | "hybrid" | "v2";
  /** Mount point by controller; on v2 one, named `unified`. */
  readonly #mounts: ReadonlyMap<string, string>;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    const mounts = new Map<string, string>();
    for (const { type, mountPoint, superOptions } of readMountinfo()) {
      if (type === "cgroup2") mounts.set("unified", mountPoint);
      if (type === "cgroup") for (const option of superOptions) if (option !== "rw") mounts.set(option, mountPoint);
    }
    if (mounts.size === 0) throw new Internal("no cgroup filesystem is mounted");
    const unified = mounts.has("unified");
    this.version = !unified ? "v1" : mounts.size === 1 ? "v2" : "hybrid";
    this.#mounts = mounts;
  }

  /** The directory with a controller's files, undefined when the host does not have the controller. */
  directory(controller: string, path: string): string | undefined {
    const mount = this.#mounts.get(this.version === "v2" ? "unified" : controller);
    return mount === undefined ? undefined : join(mount, path);
  }

  /** How many processes of the group were killed for lack of memory. */
  oomKills(path: string): number {
    const directory = this.directory("memory", path);
    if (directory === undefined) return 0;
    const text = readSmallFile(join(directory, this.version === "v2" ? "memory.events" : "memory.oom_control"));
    return Number(/^oom_kill (\d+)$/m.exec(text ?? "")?.[1] ?? 0);
  }

  /** All processes of the group and the groups below it; none when it does not exist. */
  processes(path: string): readonly number[] {
    const root = this.#anyDirectory(path);
    return root === undefined ? [] : this.#directories(root).flatMap(processesIn);
  }

  /** Freezes and returns once everything stands still. */
  async freeze(path: string): Promise<void> {
    if (this.version === "v2") {
      writeFileSync(this.#file("freezer", path, "cgroup.freeze"), "1");
      await this.#until(() => this.frozen(path), `cgroup ${path} to freeze`);
      return;
    }
    const file = this.#file("freezer", path, "freezer.state");
    // The kernel may stay in FREEZING until it is asked again.
    await this.#until(() => {
      writeFileSync(file, "FROZEN");
      return this.frozen(path);
    }, `cgroup ${path} to freeze`);
  }

  async thaw(path: string): Promise<void> {
    if (this.version === "v2") writeFileSync(this.#file("freezer", path, "cgroup.freeze"), "0");
    else writeFileSync(this.#file("freezer", path, "freezer.state"), "THAWED");
    await this.#until(() => !this.frozen(path), `cgroup ${path} to thaw`);
  }

  frozen(path: string): boolean {
    const directory = this.directory("freezer", path);
    if (directory === undefined) return false;
    if (this.version === "v2") return /^frozen 1$/m.test(readSmallFile(join(directory, "cgroup.events")) ?? "");
    return readSmallFile(join(directory, "freezer.state"))?.trim() === "FROZEN";
  }

  /** Kills everything in the group and returns once it is empty. Also what is frozen. */
  async killAll(path: string): Promise<void> {
    await this.#until(() => {
      const processes = this.processes(path);
      for (const pid of processes) killQuietly(pid);
      if (processes.length > 0 && this.version !== "v2" && this.frozen(path)) {
        writeFileSync(this.#file("freezer", path, "freezer.state"), "THAWED");
      }
      return processes.length === 0;
    }, `the processes of cgroup ${path} to end`);
  }

  /** Removes the group from every hierarchy, with those below it. Idempotent; its processes must be ending. */
  async remove(path: string): Promise<void> {
    for (const mount of new Set(this.#mounts.values())) {
      await this.#until(() => removeTree(join(mount, path)), `cgroup ${path} to become empty`);
    }
  }

  /** Makes sure that nothing is left; false when processes keep it. */
  removeNow(path: string): boolean {
    let gone = true;
    for (const mount of new Set(this.#mounts.values())) gone = removeTree(join(mount, path)) && gone;
    return gone;
  }

  #file(controller: string, path: string, name: string): string {
    const directory = this.directory(controller, path);
    if (directory === undefined) throw new Internal(`this host has no ${controller} cgroup`);
    return join(directory, name);
  }

  /** A hierarchy in which the runtime surely placed the container. */
  #anyDirectory(path: string): string | undefined {
    for (const controller of ["freezer", "devices", "pids", "memory", "cpu", "unified"]) {
      const directory = this.directory(controller, path);
      if (directory !== undefined && readSmallFile(join(directory, "cgroup.procs")) !== undefined) return directory;
    }
    return undefined;
  }

  #directories(root: string): readonly string[] {
    return [root, ...childDirectories(root).flatMap((child) => this.#directories(child))];
  }

  async #until(done: () => boolean, what: string): Promise<void> {
    const start = this.#clock.monotonic();
    while (!done()) {
      if (this.#clock.monotonic() - start > LONGEST_WAIT_MS) throw new Internal(`waited in vain for ${what}`);
      await sleep(this.#clock, POLL_MS);
    }
  }
}

function killQuietly(pid: number): void {
  try {
    kill(pid, SIGKILL);
  } catch (error) {
    if (!(error instanceof SyscallError && error.code === "ESRCH")) throw error;
  }
}

function processesIn(directory: string): readonly number[] {
  const text = readSmallFile(join(directory, "cgroup.procs")) ?? "";
  return text === "" ? [] : text.trim().split("\n").map(Number);
}

function childDirectories(directory: string): readonly string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** False when a process is left in it. */
function removeTree(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return true;
    if (code !== "EBUSY" && code !== "ENOTEMPTY") throw error;
  }
  const children = childDirectories(directory);
  return children.length > 0 && children.every(removeTree) && removeTree(directory);
}
