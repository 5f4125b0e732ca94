import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DeadlineExceeded, NotFound, systemCode, Unsupported } from "@boxship/base";
import { killIfThere, SIGKILL } from "../signals.ts";
import type { Cgroup, CgroupTree } from "./contract.ts";
import type { CgroupHost } from "./detect.ts";
import { parsePairs, readNow } from "./files.ts";
import { groupName, processesIn, removeGroup, removeGroupNow, withAncestors } from "./group.ts";
import type { CgroupLimits } from "./limits.ts";
import { readStatsV1 } from "./read-v1.ts";
import type { CgroupStats } from "./stats.ts";
import { watchEmptyByProcesses, watchOutOfMemoryByEventfd } from "./watch-v1.ts";
import { writeLimitsV1 } from "./write-v1.ts";

/** Groups over v1 hierarchies: one directory per hierarchy. */
export class CgroupTreeV1 implements CgroupTree {
  readonly layout: "v1" | "hybrid";
  readonly controllers: ReadonlySet<string>;
  readonly #unified: string | undefined;
  readonly #hierarchies: ReadonlyMap<string, string>;

  constructor(host: CgroupHost) {
    if (host.layout === "v2" || host.layout === "none") throw new Unsupported("the host has no v1 hierarchies");
    this.layout = host.layout;
    this.controllers = host.controllers;
    this.#hierarchies = host.hierarchies;
    this.#unified = host.unified;
  }

  async create(name: string): Promise<Cgroup> {
    const normal = groupName(name);
    await Promise.all(this.#mountPoints().map((mountPoint) => mkdir(join(mountPoint, normal), { recursive: true })));
    const cpuset = this.#hierarchies.get("cpuset");
    if (cpuset !== undefined) await inheritCpuset(cpuset, normal);
    return this.open(normal);
  }

  open(name: string): Cgroup {
    return new CgroupV1(groupName(name), this.#hierarchies, this.#mountPoints(), this.#unified);
  }

  /** Several controllers may share a hierarchy. */
  #mountPoints(): readonly string[] {
    return [...new Set(this.#hierarchies.values())];
  }
}

/** A new cpuset is empty and takes no process before it has processors and memory nodes. */
async function inheritCpuset(mountPoint: string, name: string): Promise<void> {
  let parent = mountPoint;
  for (const group of withAncestors(name)) {
    const directory = join(mountPoint, group);
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      const own = await readFile(join(directory, file), "utf8");
      if (own.trim() === "") await writeFile(join(directory, file), await readFile(join(parent, file), "utf8"));
    }
    parent = directory;
  }
}

const FREEZE_LIMIT_MS = 5000;
/** How long a group is given to come to a stop before it is thawed, and how long it then goes on. */
const LONGEST_FREEZE_MS = 8;
const THAWED_MS = 2;
const KILL_ROUNDS = 12;

class CgroupV1 implements Cgroup {
  readonly name: string;
  readonly #hierarchies: ReadonlyMap<string, string>;
  readonly #mountPoints: readonly string[];
  readonly #unified: string | undefined;

  constructor(
    name: string,
    hierarchies: ReadonlyMap<string, string>,
    mountPoints: readonly string[],
    unified: string | undefined,
  ) {
    this.name = name;
    this.#hierarchies = hierarchies;
    this.#mountPoints = mountPoints;
    this.#unified = unified;
  }

  path(controller: string): string | undefined {
    const mountPoint = this.#hierarchies.get(controller === "io" ? "blkio" : controller);
    return mountPoint === undefined ? undefined : join(mountPoint, this.name);
  }

  exists(): boolean {
    return this.#directories().length > 0;
  }

  setLimits(limits: CgroupLimits): Promise<void> {
    return writeLimitsV1((controller) => this.path(controller), limits);
  }

  stats(): Promise<CgroupStats> {
    return readStatsV1((controller) => this.path(controller));
  }

  /**
   * A thread that executes a program waits for its siblings to end, which they cannot while they are frozen: without a
   * thaw in between such a process (every `runc init`) never comes to a stop.
   */
  async freeze(): Promise<void> {
    const deadline = performance.now() + FREEZE_LIMIT_MS;
    for (;;) {
      for (let wait = 1; wait <= LONGEST_FREEZE_MS; wait *= 2) {
        // Asking again is what makes a group freeze that forked while it was freezing.
        await this.#setFreezer("FROZEN");
        if ((await readFile(this.#freezerFile(), "utf8")).trim() === "FROZEN") return;
        await delay(wait);
      }
      await this.thaw();
      if (performance.now() > deadline) {
        throw new DeadlineExceeded(`cgroup ${this.name} did not freeze within ${FREEZE_LIMIT_MS} ms`);
      }
      await delay(THAWED_MS);
    }
  }

  frozen(): boolean {
    const directory = this.path("freezer");
    if (directory === undefined) return false;
    return /^(?:FROZEN|FREEZING)$/m.test(readNow(join(directory, "freezer.state")));
  }

  thaw(): Promise<void> {
    return this.#setFreezer("THAWED");
  }

  async processes(): Promise<readonly number[]> {
    // A process of the group is in all hierarchies; a runtime may have left some out.
    const lists = await Promise.all(this.#directories().map(processesIn));
    return [...new Set(lists.flat())];
  }

  async addProcess(pid: number): Promise<void> {
    for (const mountPoint of this.#mountPoints) {
      try {
        await writeFile(join(mountPoint, this.name, "cgroup.procs"), String(pid));
      } catch (error) {
        if (systemCode(error) === "ESRCH") throw new NotFound(`process ${pid} does not exist`, { cause: error });
        if (systemCode(error) === "ENOENT") throw new NotFound(`cgroup ${this.name} does not exist`, { cause: error });
        throw error;
      }
    }
  }

  async killAll(): Promise<void> {
    for (let round = 1; round <= KILL_ROUNDS; round++) {
      const processes = await this.processes();
      if (processes.length === 0) return;
      // Frozen meanwhile, so that none forks between the list and the signal; a frozen process dies once thawed.
      const canFreeze = existsSync(this.#freezerFile());
      if (canFreeze) await this.#setFreezer("FROZEN");
      for (const pid of await this.processes()) killIfThere(pid, SIGKILL);
      if (canFreeze) await this.thaw();
      await delay(2 ** Math.min(round, 9));
    }
    throw new DeadlineExceeded(`processes of cgroup ${this.name} do not end`);
  }

  removeNow(): boolean {
    // Not `every`: what can go goes.
    return this.#trees().filter((tree) => !removeGroupNow(join(tree, this.name))).length === 0;
  }

  async delete(): Promise<void> {
    await Promise.all(this.#trees().map((tree) => removeGroup(join(tree, this.name), this.name)));
  }

  outOfMemoryKills(): number {
    const memory = this.path("memory");
    return memory === undefined ? 0 : (parsePairs(readNow(join(memory, "memory.oom_control")))["oom_kill"] ?? 0);
  }

  watchOutOfMemory(callback: (kills: number) => void): Disposable {
    const memory = this.path("memory");
    if (memory === undefined) throw new Unsupported("out-of-memory events need the memory controller");
    return watchOutOfMemoryByEventfd(memory, callback);
  }

  watchEmpty(callback: () => void): Disposable {
    return watchEmptyByProcesses(() => this.processes(), callback);
  }

  /** On hybrid hosts runc makes the group in the v2 tree, too. */
  #trees(): readonly string[] {
    return this.#unified === undefined ? this.#mountPoints : [...this.#mountPoints, this.#unified];
  }

  #directories(): readonly string[] {
    return this.#mountPoints.map((mountPoint) => join(mountPoint, this.name)).filter(existsSync);
  }

  #freezerFile(): string {
    const directory = this.path("freezer");
    if (directory === undefined) throw new Unsupported("freezing needs the freezer controller");
    return join(directory, "freezer.state");
  }

  async #setFreezer(state: "FROZEN" | "THAWED"): Promise<void> {
    try {
      await writeFile(this.#freezerFile(), state);
    } catch (error) {
      if (systemCode(error) === "ENOENT") throw new NotFound(`cgroup ${this.name} does not exist`, { cause: error });
      throw error;
    }
  }
}
