import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { AlreadyExists, FailedPrecondition, InvalidArgument, NotFound } from "@boxship/base";
import { StartError } from "./contract.ts";
import { collect, exitOf, INSTALLED_RUNTIMES, openTestBed, type TestBed } from "./testing.ts";

for (const name of INSTALLED_RUNTIMES) {
  describe(`containers on ${name}`, () => {
    let bed: TestBed;
    before(async () => {
      bed = await openTestBed(name);
    });
    after(() => bed[Symbol.asyncDispose]());

    test("one life: created, running, stopped, absent", async () => {
      const { runtime } = bed;
      const request = bed.container(["sleep", "100"]);
      const { id } = request;
      assert.deepEqual(await runtime.state(id), { status: "absent" });
      const { pid } = await runtime.create(request);
      assert.deepEqual(await runtime.state(id), { status: "created", pid });
      await runtime.start(id);
      assert.deepEqual(await runtime.state(id), { status: "running", pid });
      assert.deepEqual(await runtime.processes(id), [pid]);
      const exit = exitOf(runtime, id);
      const earlier = Date.now();
      await runtime.kill(id, 9);
      const status = await exit;
      assert.equal(status.code, 137);
      assert.equal(status.signal, 9);
      assert.equal(status.oomKilled, false);
      assert.ok(Math.abs(status.finishedAt.getTime() - earlier) < 5000);
      assert.deepEqual(await runtime.state(id), { status: "stopped", exit: status });
      await runtime.kill(id, 9);
      await runtime.delete(id);
      assert.deepEqual(await runtime.state(id), { status: "absent" });
      await runtime.delete(id);
      assert.deepEqual(await runtime.listLeftovers(), []);
    });

    test("an id can be used again after deletion", async () => {
      for (const code of [1, 2]) {
        const { status } = await bed.run(["sh", "-c", `exit ${code}`], { id: "again" });
        assert.equal(status.code, code);
      }
    });

    // Signals do nothing to a process 1 that does not ask for them, so another one runs the command.
    for (const [command, code] of [
      ["exit 0", 0],
      ["exit 1", 1],
      ["exit 126", 126],
      ["nosuch", 127],
      ["kill -TERM $$; sleep 5", 143],
    ] as const) {
      test(`${command} ends with ${code}`, async () => {
        const { status } = await bed.run(["sh", "-c", `sh -c '${command}'; exit $?`]);
        assert.equal(status.code, code);
      });
    }

    for (const [args, exitCode, message] of [
      [["nosuch"], 127, 'exec: "nosuch": executable file not found in $PATH'],
      [["/bin/nosuch"], 127, 'exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory'],
      [["/etc"], 126, 'exec: "/etc": permission denied'],
      [["/etc/passwd"], 126, 'exec: "/etc/passwd": permission denied'],
    ] as const) {
      test(`${args[0]} cannot be executed`, async () => {
        const request = bed.container(args);
        await assert.rejects(
          async () => {
            await bed.runtime.create(request);
            await bed.runtime.start(request.id);
          },
          (error) => error instanceof StartError && error.exitCode === exitCode && error.message === message,
        );
        assert.deepEqual(await bed.runtime.state(request.id), { status: "absent" });
        assert.deepEqual(await bed.runtime.listLeftovers(), []);
      });
    }

    test("what is not there, or not in the right state, is said", async () => {
      const { runtime } = bed;
      await assert.rejects(runtime.start("none"), NotFound);
      await assert.rejects(runtime.create({ ...bed.container(["true"]), id: "../x" }), InvalidArgument);
      await assert.rejects(runtime.create({ ...bed.container(["true"]), runtime: "kata" }), InvalidArgument);
      const request = bed.container(["sleep", "100"]);
      await runtime.create(request);
      await assert.rejects(runtime.create(request), AlreadyExists);
      await runtime.start(request.id);
      await assert.rejects(runtime.start(request.id), FailedPrecondition);
      await runtime.delete(request.id);
      await assert.rejects(runtime.exec(request.id, bed.execRequest(["true"])), NotFound);
    });

    test("a container that was never started can be deleted", async () => {
      const request = bed.container(["sleep", "100"]);
      await bed.runtime.create(request);
      await bed.runtime.delete(request.id);
      assert.deepEqual(await bed.runtime.listLeftovers(), []);
    });

    test("signals reach process 1, or all", async () => {
      const { runtime } = bed;
      const request = bed.container([
        "sh",
        "-c",
        "trap 'echo got; exit 5' USR1; echo ready; while true; do sleep 0.05; done",
      ]);
      await runtime.create(request);
      const streams = await runtime.attach(request.id, { stdin: false, stdout: true, stderr: true });
      const output = collect(streams);
      const exit = exitOf(runtime, request.id);
      await runtime.start(request.id);
      await delay(200);
      await runtime.kill(request.id, 10);
      assert.equal((await exit).code, 5);
      assert.equal((await output).stdout, "ready\ngot\n");
      await runtime.delete(request.id);
      const many = bed.container(["sh", "-c", "sleep 100 & sleep 100 & wait"]);
      await runtime.create(many);
      const end = exitOf(runtime, many.id);
      await runtime.start(many.id);
      await delay(200);
      assert.equal((await runtime.processes(many.id)).length, 3);
      await runtime.kill(many.id, 15, { all: true });
      assert.equal((await end).code, 0);
      await runtime.delete(many.id);
    });

    test("top describes the processes", async () => {
      const { runtime } = bed;
      const request = bed.container(["sleep", "100"]);
      const { pid } = await runtime.create(request);
      await runtime.start(request.id);
      await delay(50);
      const [info] = await runtime.top(request.id);
      assert.equal(info?.pid, pid);
      assert.equal(info?.command, "sleep 100");
      assert.equal(info?.uid, 0);
      assert.equal(info?.tty, "?");
      assert.match(info?.state ?? "", /^S/);
      assert.ok(Math.abs(Date.now() - (info?.startedAt.getTime() ?? 0)) < 20_000);
      assert.ok((info?.residentSize ?? 0) > 0);
      await runtime.delete(request.id);
    });

    test("cgroups are gone with the container", async () => {
      await bed.run(["true"]);
      const parent = bed.options.cgroupParent;
      for (const hierarchy of readdirSync("/sys/fs/cgroup")) {
        const directory = join("/sys/fs/cgroup", hierarchy, parent);
        if (!existsSync(directory)) continue;
        const left = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
        assert.deepEqual(left, []);
      }
    });

    test("many at once", async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 12 }, (_, index) => bed.run(["sh", "-c", `echo ${index}; exit ${index}`])),
      );
      assert.deepEqual(
        outcomes.map(({ status, stdout }) => [status.code, stdout]),
        Array.from({ length: 12 }, (_, index) => [index, `${index}\n`]),
      );
    });
  });
}
