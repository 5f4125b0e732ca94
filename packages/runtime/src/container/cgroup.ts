import { readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, DeadlineExceeded, Internal, sleep, systemCode } from "@boxship/base";
import { type Cgroup, type CgroupTree, detectCgroups, openCgroupTree } from "@boxship/kernel";
import { readSmallFile } from "./record.ts";

const POLL_MS = 2;
const LONGEST_WAIT_MS = 5000;
const LONGEST_FREEZE_MS = 8;

/** The cgroups of containers, by their `cgroupsPath`: kernel's groups, and what an exit and a deletion need at once. */
export class CgroupAccess {
  readonly version: "v1" | "hybrid" | "v2";
  readonly #tree: CgroupTree;
  /** All mounted hierarchies: runc makes a group in each, the v2 tree of a hybrid host included. */
  readonly #mounts: readonly string[];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    const host = detectCgroups();
    this.version = host.layout;
    this.#clock = clock;
    this.#tree = openCgroupTree(host);
    const unified = host.unified === undefined ? [] : [host.unified];
    this.#mounts = [...new Set([...host.hierarchies.values(), ...unified])];
  }

  group(path: string): Cgroup {
    return this.#tree.open(path);
  }

  /** How many processes of the group were killed for lack of memory. One small file, read at once. */
  oomKills(path: string): number {
    const directory = this.group(path).path("memory");
    if (directory === undefined) return 0;
    const text = readSmallFile(join(directory, this.version === "v2" ? "memory.events" : "memory.oom_control"));
    return Number(/^oom_kill (\d+)$/m.exec(text ?? "")?.[1] ?? 0);
  }

  /**
   * Stops every process of the group. On v1 a thread that executes a program waits for its siblings to end, which they
   * cannot while they are frozen: without a thaw in between such a process (every `runc init`) never comes to a stop.
   */
  async freeze(path: string): Promise<void> {
    const directory = this.group(path).path("freezer");
    if (this.version === "v2" || directory === undefined) return this.group(path).freeze();
    const file = join(directory, "freezer.state");
    const start = this.#clock.monotonic();
    for (;;) {
      for (let wait = 1; wait <= LONGEST_FREEZE_MS; wait *= 2) {
        writeFileSync(file, "FROZEN");
        if (readSmallFile(file)?.trim() === "FROZEN") return;
        await sleep(this.#clock, wait);
      }
      writeFileSync(file, "THAWED");
      if (this.#clock.monotonic() - start > LONGEST_WAIT_MS) {
        throw new DeadlineExceeded(`cgroup ${path} did not freeze within ${LONGEST_WAIT_MS} ms`);
      }
      await sleep(this.#clock, POLL_MS);
    }
  }

  /** Whether everything stands still, or will in a moment. */
  frozen(path: string): boolean {
    const directory = this.group(path).path("freezer");
    if (directory === undefined) return false;
    if (this.version === "v2") return readSmallFile(join(directory, "cgroup.freeze"))?.trim() === "1";
    return /^(?:FROZEN|FREEZING)$/m.test(readSmallFile(join(directory, "freezer.state")) ?? "");
  }

  /** Removes the group from every hierarchy; false when processes keep it. A rmdir each, microseconds together. */
  removeNow(path: string): boolean {
    // Not `every`: what can go goes.
    return this.#mounts.filter((mount) => !removeTree(join(mount, path))).length === 0;
  }

  /** As {@link CgroupAccess.removeNow}, for a group whose processes are about to be gone. */
  async remove(path: string): Promise<void> {
    const start = this.#clock.monotonic();
    while (!this.removeNow(path)) {
      if (this.#clock.monotonic() - start > LONGEST_WAIT_MS) throw new Internal(`cgroup ${path} does not become empty`);
      await sleep(this.#clock, POLL_MS);
    }
  }
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
