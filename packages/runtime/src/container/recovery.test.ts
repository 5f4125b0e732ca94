import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ContainerRuntime } from "../container-runtime.ts";
import type { CreateContainer, ExecRequest } from "../contract.ts";
import { exitOf, INSTALLED_RUNTIMES, openTestBed, type TestBed } from "../testing.ts";

const DAEMON = fileURLToPath(new URL("../testing-daemon.ts", import.meta.url));

interface Work {
  readonly containers: readonly CreateContainer[];
  readonly start: boolean;
  readonly exec?: ExecRequest;
}

function startDaemon(bed: TestBed, work: Work): ChildProcess {
  const { runDir, cgroupParent, defaultRuntime } = bed.options;
  const job = JSON.stringify({ options: { runDir, cgroupParent, defaultRuntime }, ...work });
  return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", DAEMON, job], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function said(daemon: ChildProcess, word: string): Promise<void> {
  let text = "";
  for await (const chunk of daemon.stdout as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.includes(word)) return;
  }
  throw new Error(`the daemon ended before it was ${word}`);
}

async function killDaemon(daemon: ChildProcess): Promise<void> {
  const exit = once(daemon, "exit");
  daemon.kill("SIGKILL");
  await exit;
}

/** A runtime on the same directory, as a daemon's next start has it. */
function reopen(bed: TestBed): Promise<ContainerRuntime> {
  return ContainerRuntime.open(bed.options);
}

for (const name of INSTALLED_RUNTIMES) {
  describe(`after kill -9 of the daemon on ${name}`, () => {
    let bed: TestBed;
    before(async () => {
      bed = await openTestBed(name);
    });
    after(() => bed[Symbol.asyncDispose]());

    test("running containers run on and are adopted, their exit is told", async () => {
      const log = join(bed.directory, "adopted.log");
      const request = bed.container(["sh", "-c", "while [ ! -e /tmp/go ]; do echo tick; sleep 0.05; done; exit 6"], {
        logPath: log,
      });
      const daemon = startDaemon(bed, { containers: [request], start: true });
      await said(daemon, "done");
      await killDaemon(daemon);
      const size = readFileSync(log).length;
      await delay(200);
      assert.ok(readFileSync(log).length > size);
      await using runtime = await reopen(bed);
      const exit = exitOf(runtime, request.id);
      const state = await runtime.adopt(request.id);
      assert.equal(state.status, "running");
      const streams = await runtime.attach(request.id, { stdin: false, stdout: true, stderr: true });
      await once(streams.output, "data");
      streams.close();
      assert.deepEqual(await runtime.reconcile([request.id]), { removed: [], execsKilled: [] });
      writeFileSync(join(bed.rootfs, "tmp/go"), "");
      assert.equal((await exit).code, 6);
      rmSync(join(bed.rootfs, "tmp/go"));
      await runtime.delete(request.id);
      assert.deepEqual(await runtime.listLeftovers(), []);
    });

    test("an exit that nobody saw has its status and time", async () => {
      const request = bed.container(["sh", "-c", "sleep 0.4; exit 3"]);
      const daemon = startDaemon(bed, { containers: [request], start: true });
      await said(daemon, "done");
      await killDaemon(daemon);
      const killed = Date.now();
      await delay(1000);
      await using runtime = await reopen(bed);
      const state = await runtime.adopt(request.id);
      assert.equal(state.status, "stopped");
      assert.ok(state.status === "stopped" && state.exit.code === 3);
      const late = state.exit.finishedAt.getTime() - killed;
      assert.ok(late > -500 && late < 900, `finished ${late} ms after the daemon`);
      await runtime.delete(request.id);
    });

    test("a container that was only created can be started by the next daemon", async () => {
      const request = bed.container(["sh", "-c", "exit 8"]);
      const daemon = startDaemon(bed, { containers: [request], start: false });
      await said(daemon, "done");
      await killDaemon(daemon);
      await using runtime = await reopen(bed);
      assert.equal((await runtime.adopt(request.id)).status, "created");
      const exit = exitOf(runtime, request.id);
      await runtime.start(request.id);
      assert.equal((await exit).code, 8);
      await runtime.delete(request.id);
    });

    test("execs of the dead daemon are killed, their container lives", async () => {
      const request = bed.container(["sleep", "100"]);
      const exec = bed.execRequest(["sleep", "200"]);
      const daemon = startDaemon(bed, { containers: [request], start: true, exec });
      await said(daemon, "done");
      await killDaemon(daemon);
      await using runtime = await reopen(bed);
      await runtime.adopt(request.id);
      assert.equal((await runtime.processes(request.id)).length, 2);
      const { execsKilled } = await runtime.reconcile([request.id]);
      assert.equal(execsKilled.length, 1);
      for (let waited = 0; (await runtime.processes(request.id)).length > 1; waited += 20) {
        assert.ok(waited < 3000);
        await delay(20);
      }
      await runtime.delete(request.id);
    });

    test("whatever it was doing, the next start finds nothing that reconcile cannot remove", async () => {
      for (let round = 0; round < 6; round++) {
        const containers = Array.from({ length: 3 }, () => bed.container(["sleep", "100"]));
        const daemon = startDaemon(bed, { containers, start: true });
        await said(daemon, "open");
        await delay(round * 9);
        await killDaemon(daemon);
        await using runtime = await reopen(bed);
        const pids = new Set<number>();
        for (const { id } of containers) {
          const state = await runtime.state(id);
          if ("pid" in state) pids.add(state.pid);
        }
        await runtime.reconcile([]);
        assert.deepEqual(await runtime.listLeftovers(), []);
        for (const pid of pids) assert.ok(!existsSync(`/proc/${pid}/ns/mnt`), `process ${pid} is left`);
      }
    });

    test("a conmon that is killed takes its container along, and that is told", async () => {
      const { runtime } = bed;
      const request = bed.container(["sleep", "100"]);
      const { pid } = await runtime.create(request);
      const exit = exitOf(runtime, request.id);
      await runtime.start(request.id);
      const conmon = Number(readFileSync(join(bed.options.runDir, "containers", request.id, "conmon.pid"), "utf8"));
      process.kill(conmon, "SIGKILL");
      assert.equal((await exit).code, 137);
      assert.ok(!existsSync(`/proc/${pid}/ns/mnt`));
      await runtime.delete(request.id);
      assert.deepEqual(await runtime.listLeftovers(), []);
    });

    test("a conmon that died with the daemon away", async () => {
      const request = bed.container(["sleep", "100"]);
      const daemon = startDaemon(bed, { containers: [request], start: true });
      await said(daemon, "done");
      await killDaemon(daemon);
      const conmon = Number(readFileSync(join(bed.options.runDir, "containers", request.id, "conmon.pid"), "utf8"));
      process.kill(conmon, "SIGKILL");
      await delay(50);
      await using runtime = await reopen(bed);
      const state = await runtime.adopt(request.id);
      assert.ok(state.status === "stopped" && state.exit.code === 137);
      assert.deepEqual(await runtime.processes(request.id), []);
      await runtime.delete(request.id);
    });
  });
}
