import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { FailedPrecondition, NotFound } from "@boxship/base";
import type { StreamFrame } from "../contract.ts";
import { collect, exitOf, INSTALLED_RUNTIMES, openTestBed, type TestBed } from "../testing.ts";

const OUTPUT = { stdin: false, stdout: true, stderr: true };

for (const name of INSTALLED_RUNTIMES) {
  describe(`limits on ${name}`, () => {
    let bed: TestBed;
    before(async () => {
      bed = await openTestBed(name);
    });
    after(() => bed[Symbol.asyncDispose]());

    test("a kill for lack of memory is told as such", async () => {
      // tail keeps what has no newline.
      const { status } = await bed.run(["sh", "-c", "tail /dev/zero"], { spec: { resources: { memory: 16 << 20 } } });
      assert.equal(status.oomKilled, true);
      assert.equal(status.code, 137);
      const plain = await bed.run(["sh", "-c", "exit 137"], { spec: { resources: { memory: 16 << 20 } } });
      assert.equal(plain.status.oomKilled, false);
    });

    test("processes, CPU and memory limits are in force", async () => {
      // runc's own threads count until the process is there, and its init ends where it gets none.
      const { stderr } = await bed.run(["sh", "-c", "for i in $(seq 32); do sleep 1 & done; wait"], {
        spec: { resources: { pids: 24 } },
      });
      assert.match(stderr, /can't fork|Resource temporarily unavailable/);
    });

    test("pause freezes output, resume goes on where it stood", async () => {
      const { runtime } = bed;
      const request = bed.container(["sh", "-c", "i=0; while true; do i=$((i+1)); echo $i; sleep 0.01; done"]);
      await runtime.create(request);
      const streams = await runtime.attach(request.id, OUTPUT);
      const lines: string[] = [];
      streams.output.on("data", ({ data }: StreamFrame) => lines.push(...data.toString().trim().split("\n")));
      await runtime.start(request.id);
      await delay(200);
      await runtime.pause(request.id);
      assert.equal((await runtime.state(request.id)).status, "paused");
      await delay(50);
      const earlier = lines.length;
      await delay(200);
      assert.equal(lines.length, earlier);
      assert.ok(earlier > 3);
      await runtime.resume(request.id);
      assert.equal((await runtime.state(request.id)).status, "running");
      await delay(200);
      assert.ok(lines.length > earlier);
      assert.deepEqual(
        lines,
        lines.map((_, index) => String(index + 1)),
      );
      await runtime.pause(request.id);
      const exit = exitOf(runtime, request.id);
      await runtime.kill(request.id, 9);
      assert.equal((await exit).code, 137);
      await runtime.delete(request.id);
    });

    test("what was started just now can be paused, and what is paused can be deleted", async () => {
      for (let round = 0; round < 10; round++) {
        const request = bed.container(["sleep", "100"]);
        await bed.runtime.create(request);
        await bed.runtime.start(request.id);
        await bed.runtime.pause(request.id);
        await bed.runtime.delete(request.id);
      }
      assert.deepEqual(await bed.runtime.listLeftovers(), []);
    });

    test("limits change while it runs", async () => {
      const { runtime, options } = bed;
      const request = bed.container(["sleep", "100"], { spec: { resources: { memory: 64 << 20, pids: 10 } } });
      await runtime.create(request);
      await runtime.start(request.id);
      await runtime.update(request.id, {
        memory: { limit: 32 << 20, swap: 64 << 20 },
        cpu: { quota: 50_000, period: 100_000, shares: 512 },
        pids: { limit: 20 },
      });
      const value = (v1: string, v2: string) => {
        const v2host = runtime.info.cgroup === "v2";
        const [controller] = v1.split(".");
        const directory = v2host ? "/sys/fs/cgroup" : `/sys/fs/cgroup/${controller}`;
        return readFileSync(`${directory}${options.cgroupParent}/${request.id}/${v2host ? v2 : v1}`, "utf8").trim();
      };
      assert.equal(value("memory.limit_in_bytes", "memory.max"), String(32 << 20));
      assert.equal(value("pids.max", "pids.max"), "20");
      assert.match(value("cpu.cfs_quota_us", "cpu.max"), /^50000/);
      await runtime.update(request.id, { cpu: { quota: -1 }, pids: { limit: -1 } });
      assert.match(value("cpu.cfs_quota_us", "cpu.max"), /^(?:-1$|max)/);
      assert.equal(value("pids.max", "pids.max"), "max");
      assert.equal(value("memory.limit_in_bytes", "memory.max"), String(32 << 20));
      await runtime.delete(request.id);
      await assert.rejects(runtime.update(request.id, {}), NotFound);
    });

    test("use is counted", async () => {
      const request = bed.container(["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 100"]);
      await bed.runtime.create(request);
      await bed.runtime.start(request.id);
      await delay(300);
      const stats = await bed.runtime.stats(request.id);
      assert.ok((stats.cpu?.usage ?? 0) > 1e6);
      assert.ok((stats.memory?.usage ?? 0) > 0);
      assert.equal(stats.pids?.current, 1);
      await bed.runtime.delete(request.id);
    });

    test("what does not run is not paused", async () => {
      const request = bed.container(["true"]);
      await bed.runtime.create(request);
      const streams = await bed.runtime.attach(request.id, OUTPUT);
      const exit = exitOf(bed.runtime, request.id);
      await bed.runtime.start(request.id);
      await exit;
      await collect(streams);
      await delay(50);
      await assert.rejects(bed.runtime.pause(request.id), FailedPrecondition);
      await assert.rejects(bed.runtime.exec(request.id, bed.execRequest(["true"])), FailedPrecondition);
      await bed.runtime.delete(request.id);
    });
  });
}
