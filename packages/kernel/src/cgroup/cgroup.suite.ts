import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Fd } from "../fd.ts";
import { writeAll } from "../file-data.ts";
import { pipe } from "../pipe.ts";
import { type Process, spawnProcess } from "../process.ts";
import { failOnLeaks } from "../testing.ts";
import type { Cgroup, CgroupTree } from "./contract.ts";

/** What every implementation promises, against the kernel. */
export interface SuiteOptions {
  /** Why the implementation cannot run here at all. */
  readonly skip?: string | undefined;
  /** Why limits and usage cannot be tested here. */
  readonly skipControllers?: string | undefined;
  readonly open: () => CgroupTree;
}

const MEBIBYTE = 1 << 20;

interface Waiting extends Process {
  /** Lets the script begin. */
  begin(): void;
}

/** A shell that waits for a line on its standard input, so that it is in its group before it does anything. */
function waitingShell(script: string): Waiting {
  using ends = pipe();
  const child = spawnProcess({
    file: "/bin/sh",
    args: ["-c", `read -r line; ${script}`],
    stdio: { 0: ends.readEnd },
  });
  const writeEnd = new Fd(ends.writeEnd.release());
  const begin = () => {
    writeAll(writeEnd, Buffer.from("\n"));
    writeEnd.close();
  };
  return { ...child, begin };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}

function processorTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

export function cgroupSuite(title: string, options: SuiteOptions): void {
  let counter = 0;

  /** A group of its own for a test, removed afterwards with all its processes. */
  async function newGroup(tree: CgroupTree): Promise<Cgroup & AsyncDisposable> {
    const group = await tree.create(`/boxship-test-${process.pid}-${title}-${counter++}/inner`);
    const outer = tree.open(group.name.slice(0, group.name.lastIndexOf("/")));
    return Object.assign(group, {
      [Symbol.asyncDispose]: async () => {
        await outer.killAll();
        await outer.delete();
        assert.equal(outer.exists(), false);
      },
    });
  }

  async function running(group: Cgroup, script: string): Promise<Process> {
    const child = waitingShell(script);
    await group.addProcess(child.pid);
    child.begin();
    return child;
  }

  describe(`cgroups, ${title}`, { skip: options.skip }, () => {
    failOnLeaks();

    it("makes and removes groups, again and again", async () => {
      const tree = options.open();
      await using group = await newGroup(tree);
      assert.equal(group.exists(), true);
      assert.ok(existsSync(group.path("memory") ?? ""));
      await tree.create(group.name);
      await group.delete();
      assert.equal(group.exists(), false);
      await group.delete();
    });

    it("refuses names that lead out of the tree", async () => {
      const tree = options.open();
      for (const name of ["relative", "/", "/../x", ""]) {
        assert.throws(() => tree.open(name), { code: "InvalidArgument" });
        await assert.rejects(tree.create(name), { code: "InvalidArgument" });
      }
      assert.equal(tree.open("//a/./b/").name, "/a/b");
    });

    it("holds processes, keeps their children, and kills them all", async () => {
      await using group = await newGroup(options.open());
      const child = await running(group, "sleep 60 & sleep 60 & wait");
      await until(async () => (await group.processes()).length === 3);
      assert.ok((await group.processes()).includes(child.pid));
      await assert.rejects(group.delete(), { code: "Conflict" });
      await group.killAll();
      assert.deepEqual(await child.exited, { code: undefined, signal: "SIGKILL" });
      assert.deepEqual(await group.processes(), []);
      await group.killAll();
      await assert.rejects(group.addProcess(2 ** 22 + 1), { code: "NotFound" });
    });

    it("kills a group that forks as fast as it can", async () => {
      await using group = await newGroup(options.open());
      const child = await running(group, "while :; do (sleep 30 &) ; done");
      await until(async () => (await group.processes()).length > 20);
      await group.killAll();
      await child.exited;
      assert.deepEqual(await group.processes(), []);
    });

    it("freezes and thaws", async () => {
      await using group = await newGroup(options.open());
      const child = await running(group, "while :; do :; done");
      await group.freeze();
      await group.freeze();
      const stopped = processorTime(child.pid);
      await new Promise((resolve) => setTimeout(resolve, 60));
      assert.equal(processorTime(child.pid), stopped);
      await group.thaw();
      await until(() => processorTime(child.pid) > stopped);
      await group.freeze();
      await group.killAll();
      await child.exited;
    });

    it("freezes a program of several threads that is just executing another", async () => {
      await using group = await newGroup(options.open());
      const again = "process.execve(process.execPath, [process.execPath, '-e', process.env.AGAIN], process.env)";
      const child = spawnProcess({ file: process.execPath, args: ["-e", again], env: { AGAIN: again } });
      await group.addProcess(child.pid);
      for (let round = 0; round < 200; round++) {
        await group.freeze();
        assert.equal(group.frozen(), true);
        await group.thaw();
        assert.equal(group.frozen(), false);
        await new Promise((resolve) => setTimeout(resolve, round % 10));
      }
      await group.killAll();
      await child.exited;
      assert.equal(group.removeNow(), true);
      assert.equal(group.exists(), false);
    });

    it("tells when the last process has gone", async () => {
      await using group = await newGroup(options.open());
      const child = await running(group, "sleep 0.1 & exit 0");
      await new Promise<void>((resolve) => group.watchEmpty(resolve));
      assert.deepEqual(await group.processes(), []);
      await child.exited;
      await new Promise<void>((resolve) => group.watchEmpty(resolve));
      group.watchEmpty(() => assert.fail("was disposed"))[Symbol.dispose]();
    });

    it("leaves nothing behind", async () => {
      const tree = options.open();
      const mount = tree.open("/x").path("memory")?.slice(0, -2) ?? "";
      const left = readdirSync(mount).filter((name) => name.startsWith(`boxship-test-${process.pid}-${title}`));
      assert.deepEqual(left, []);
    });

    describe("limits and usage", { skip: options.skipControllers }, () => {
      it("sets limits, and reads them back in its usage", async () => {
        await using group = await newGroup(options.open());
        await group.setLimits({
          memory: { limit: 64 * MEBIBYTE, memoryAndSwap: 64 * MEBIBYTE },
          cpu: { shares: 512, quota: 20_000, period: 100_000, cpus: "0" },
          pids: 20,
          io: { weight: 100 },
        });
        await group.setLimits({ memory: { limit: 128 * MEBIBYTE, memoryAndSwap: 256 * MEBIBYTE } });
        await group.setLimits({ memory: { limit: 32 * MEBIBYTE, memoryAndSwap: 32 * MEBIBYTE } });
        const stats = await group.stats();
        assert.equal(stats.memory?.limit, 32 * MEBIBYTE);
        assert.equal(stats.pids?.limit, 20);
        await group.setLimits({ memory: { memoryAndSwap: Infinity }, cpu: { quota: Infinity }, pids: Infinity });
        await group.setLimits({ memory: { limit: Infinity } });
        const freed = await group.stats();
        assert.deepEqual([freed.memory?.limit, freed.pids?.limit], [Infinity, Infinity]);
      });

      it("names the file whose value the kernel refuses", async () => {
        await using group = await newGroup(options.open());
        await assert.rejects(group.setLimits({ cpu: { cpus: "4000" } }), {
          code: "InvalidArgument",
          message: /refuses "4000" for .*cpuset\.cpus/,
        });
      });

      it("counts processor time, throttling and processes", async () => {
        await using group = await newGroup(options.open());
        await group.setLimits({ cpu: { quota: 5000, period: 10_000 } });
        const child = await running(group, "while :; do :; done");
        // The kernel adds up the time when it lets the group go on, some time after it has counted the period.
        await until(async () => {
          const { cpu } = await group.stats();
          return cpu !== undefined && cpu.usage > 1e6 && cpu.throttledPeriods > 2 && cpu.throttledTime > 0;
        });
        const { pids } = await group.stats();
        assert.equal(pids?.current, 1);
        child.kill(9);
        await child.exited;
      });

      it("reports an out-of-memory kill as it happens", async () => {
        await using group = await newGroup(options.open());
        await group.setLimits({ memory: { limit: 16 * MEBIBYTE, memoryAndSwap: 32 * MEBIBYTE } });
        const kills: number[] = [];
        using _watch = group.watchOutOfMemory((count) => kills.push(count));
        const child = await running(group, "head -c 64m /dev/zero | tail; exit 0");
        await child.exited;
        await until(() => kills.length > 0);
        assert.ok((kills[0] ?? 0) >= 1);
        const { memory } = await group.stats();
        assert.ok(memory !== undefined && memory.outOfMemoryKills >= 1 && memory.failures >= 1);
      });
    });
  });
}
