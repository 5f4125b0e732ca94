import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DeadlineExceeded, FailedPrecondition, NotFound, systemCode, Unsupported } from "@boxship/base";
import { InotifyMask, watchFile } from "../inotify.ts";
import { killIfThere, SIGKILL } from "../signals.ts";
import type { Cgroup, CgroupTree } from "./contract.ts";
import type { CgroupHost } from "./detect.ts";
import { parsePairs, readNow } from "./files.ts";
import { groupName, processesIn, removeGroup, removeGroupNow, withAncestors } from "./group.ts";
import type { CgroupLimits } from "./limits.ts";
import { readStatsV2 } from "./read-v2.ts";
import type { CgroupStats } from "./stats.ts";
import { writeLimitsV2 } from "./write-v2.ts";

/** Controllers that are switched on for our groups, where the host has them. */
const WANTED: readonly string[] = ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"];

/** Groups over the unified tree: one directory each. */
export class CgroupTreeV2 implements CgroupTree {
  readonly layout = "v2";
  readonly controllers: ReadonlySet<string>;
  readonly #root: string;

  constructor(host: CgroupHost) {
    if (host.unified === undefined) throw new Unsupported("the host has no v2 tree");
    this.#root = host.unified;
    this.controllers = host.controllers;
  }

  async create(name: string): Promise<Cgroup> {
    const normal = groupName(name);
    await mkdir(join(this.#root, normal), { recursive: true });
    const parents = ["", ...withAncestors(normal).slice(0, -1)];
    for (const parent of parents) await this.#switchControllersOn(parent);
    return this.open(normal);
  }

  open(name: string): Cgroup {
    return new CgroupV2(groupName(name), this.#root);
  }

  /** Gives the children of a group their controllers; those that are on already are left alone. */
  async #switchControllersOn(parent: string): Promise<void> {
    const directory = join(this.#root, parent);
    const offered = new Set((await readFile(join(directory, "cgroup.controllers"), "utf8")).trim().split(" "));
    const on = new Set((await readFile(join(directory, "cgroup.subtree_control"), "utf8")).trim().split(" "));
    const missing = WANTED.filter((controller) => offered.has(controller) && !on.has(controller));
    if (missing.length === 0) return;
    try {
      await writeFile(join(directory, "cgroup.subtree_control"), missing.map((name) => `+${name}`).join(" "));
    } catch (error) {
      if (systemCode(error) !== "EBUSY") throw error;
      const shown = parent === "" ? "/" : parent;
      throw new FailedPrecondition(`cgroup ${shown} holds processes and so cannot give its children controllers`, {
        subject: { kind: "cgroup", name: shown },
        cause: error,
        remedy: `move the processes of ${shown} into a group below it, or choose another parent`,
      });
    }
  }
}

const FREEZE_LIMIT_MS = 2000;
const KILL_LIMIT_MS = 5000;

class CgroupV2 implements Cgroup {
  readonly name: string;
  readonly #directory: string;

  constructor(name: string, root: string) {
    this.name = name;
    this.#directory = join(root, name);
  }

  path(_controller: string): string {
    return this.#directory;
  }

  exists(): boolean {
    return existsSync(this.#directory);
  }

  setLimits(limits: CgroupLimits): Promise<void> {
    return writeLimitsV2(this.#directory, limits);
  }

  stats(): Promise<CgroupStats> {
    return readStatsV2(this.#directory);
  }

  async freeze(): Promise<void> {
    await this.#write("cgroup.freeze", "1");
    if (await this.#waitForEvent("frozen", 1, FREEZE_LIMIT_MS)) return;
    await this.thaw();
    throw new DeadlineExceeded(`cgroup ${this.name} did not freeze within ${FREEZE_LIMIT_MS} ms`);
  }

  thaw(): Promise<void> {
    return this.#write("cgroup.freeze", "0");
  }

  frozen(): boolean {
    return readNow(join(this.#directory, "cgroup.freeze")).trim() === "1";
  }

  processes(): Promise<readonly number[]> {
    return processesIn(this.#directory);
  }

  addProcess(pid: number): Promise<void> {
    return this.#write("cgroup.procs", String(pid), `process ${pid} does not exist`);
  }

  async killAll(): Promise<void> {
    if (!this.exists()) return;
    if (existsSync(join(this.#directory, "cgroup.kill"))) await this.#write("cgroup.kill", "1");
    else await this.#killOneByOne();
    if (!(await this.#waitForEvent("populated", 0, KILL_LIMIT_MS))) {
      throw new DeadlineExceeded(`processes of cgroup ${this.name} do not end`);
    }
  }

  removeNow(): boolean {
    return removeGroupNow(this.#directory);
  }

  delete(): Promise<void> {
    return removeGroup(this.#directory, this.name);
  }

  outOfMemoryKills(): number {
    return readPairsNow(join(this.#directory, "memory.events"))["oom_kill"] ?? 0;
  }

  watchOutOfMemory(callback: (kills: number) => void): Disposable {
    const file = join(this.#directory, "memory.events");
    if (!existsSync(file)) throw new Unsupported("out-of-memory events need the memory controller");
    const count = () => readPairsNow(file)["oom_kill"] ?? 0;
    let known = count();
    return watchFile(file, InotifyMask.Modify, () => {
      const kills = count();
      if (kills <= known) return;
      known = kills;
      callback(kills);
    });
  }

  watchEmpty(callback: () => void): Disposable {
    const file = join(this.#directory, "cgroup.events");
    let done = false;
    const look = () => {
      // No such file: no such group, and nothing in it.
      if (done || (readPairsNow(file)["populated"] ?? 0) !== 0) return;
      done = true;
      watch?.[Symbol.dispose]();
      callback();
    };
    const watch = this.exists() ? watchFile(file, InotifyMask.Modify, look) : undefined;
    setImmediate(look);
    return {
      [Symbol.dispose]() {
        done = true;
        watch?.[Symbol.dispose]();
      },
    };
  }

  /** Before Linux 5.14: frozen, so that none forks between the list and the signal. */
  async #killOneByOne(): Promise<void> {
    await this.#write("cgroup.freeze", "1");
    for (const pid of await this.processes()) killIfThere(pid, SIGKILL);
    await this.thaw();
  }

  /** Waits until a value of `cgroup.events` is as wanted; false when the time is over. */
  async #waitForEvent(name: string, wanted: number, limitMs: number): Promise<boolean> {
    const file = join(this.#directory, "cgroup.events");
    const reached = Promise.withResolvers<boolean>();
    const look = () => {
      if ((readPairsNow(file)[name] ?? 0) === wanted) reached.resolve(true);
    };
    using _watch = watchFile(file, InotifyMask.Modify, look);
    look();
    const timeout = new AbortController();
    const timer = delay(limitMs, false, { signal: timeout.signal }).catch(() => false);
    const result = await Promise.race([reached.promise, timer]);
    timeout.abort();
    return result;
  }

  async #write(file: string, value: string, missing = `cgroup ${this.name} does not exist`): Promise<void> {
    try {
      await writeFile(join(this.#directory, file), value);
    } catch (error) {
      if (systemCode(error) === "ENOENT") throw new NotFound(`cgroup ${this.name} does not exist`, { cause: error });
      if (systemCode(error) === "ESRCH") throw new NotFound(missing, { cause: error });
      throw error;
    }
  }
}

function readPairsNow(file: string): Readonly<Record<string, number>> {
  return parsePairs(readNow(file));
}
