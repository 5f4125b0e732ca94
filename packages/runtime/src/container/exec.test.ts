import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { AlreadyExists, FailedPrecondition } from "@boxship/base";
import { type ExecHandle, StartError, type StreamFrame } from "../contract.ts";
import { collect, exitOf, INSTALLED_RUNTIMES, openTestBed, type TestBed } from "../testing.ts";

function streamsOf(handle: ExecHandle): NonNullable<ExecHandle["streams"]> {
  assert.ok(handle.streams !== undefined);
  return handle.streams;
}

for (const name of INSTALLED_RUNTIMES) {
  describe(`exec on ${name}`, () => {
    let bed: TestBed;
    let id: string;
    before(async () => {
      bed = await openTestBed(name);
      const request = bed.container(["sleep", "1000"]);
      id = request.id;
      await bed.runtime.create(request);
      await bed.runtime.start(id);
    });
    after(() => bed[Symbol.asyncDispose]());
    const exec = (args: readonly string[], changes: Parameters<TestBed["execRequest"]>[1] = {}) =>
      bed.runtime.exec(id, bed.execRequest(args, changes));

    for (const code of [0, 1, 126, 127, 255]) {
      test(`exit code ${code}`, async () => {
        const handle = await exec(["sh", "-c", `echo out; echo err >&2; exit ${code}`]);
        assert.ok(handle.pid > 1);
        const [output, status] = await Promise.all([collect(streamsOf(handle)), handle.exited]);
        assert.deepEqual(output, { stdout: "out\n", stderr: "err\n" });
        assert.equal(status.code, code);
      });
    }

    for (const [args, exitCode, message] of [
      [["nosuch"], 127, 'exec: "nosuch": executable file not found in $PATH'],
      [["/bin/nosuch"], 127, 'exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory'],
      [["/etc"], 126, 'exec: "/etc": permission denied'],
    ] as const) {
      for (const terminal of [false, true]) {
        test(`${args[0]} cannot be executed${terminal ? " on a terminal" : ""}`, async () => {
          await assert.rejects(
            exec(args, { terminal }),
            (error) => error instanceof StartError && error.exitCode === exitCode && error.message === message,
          );
        });
      }
    }

    test("killed by a signal", async () => {
      const handle = await exec(["sh", "-c", "kill -9 $$"]);
      assert.equal((await handle.exited).code, 137);
      streamsOf(handle).close();
    });

    test("the pid is the process's on the host", async () => {
      const handle = await exec(["sleep", "100"]);
      assert.ok((await bed.runtime.processes(id)).includes(handle.pid));
      process.kill(handle.pid, "SIGKILL");
      assert.equal((await handle.exited).code, 137);
      streamsOf(handle).close();
    });

    test("environment, directory and user are the request's", async () => {
      const handle = await exec(["sh", "-c", "echo $X; pwd; id -u"], {
        process: {
          args: ["sh", "-c", "echo $X; pwd; id -u"],
          env: ["PATH=/bin", "X=y"],
          cwd: "/tmp",
          user: { uid: 1000, gid: 1000 },
        },
      });
      assert.equal((await collect(streamsOf(handle))).stdout, "y\n/tmp\n1000\n");
    });

    test("input to its end, binary and large", async () => {
      const handle = await exec(["cat"], { stdin: true });
      const streams = streamsOf(handle);
      const block = randomBytes(1 << 20);
      const sent = createHash("sha256");
      const received = createHash("sha256");
      const reading = (async () => {
        for await (const { data } of streams.output as AsyncIterable<StreamFrame>) received.update(data);
      })();
      for (let index = 0; index < 100; index++) {
        sent.update(block);
        if (streams.stdin?.write(block) === false) await once(streams.stdin, "drain");
      }
      streams.stdin?.end();
      await reading;
      assert.equal(received.digest("hex"), sent.digest("hex"));
      assert.equal((await handle.exited).code, 0);
    });

    test("without input reading ends at once", async () => {
      const handle = await exec(["cat"]);
      assert.equal((await handle.exited).code, 0);
      assert.equal((await collect(streamsOf(handle))).stdout, "");
    });

    test("a terminal: echo, size, resizing, exit code", async () => {
      const handle = await exec(["sh"], {
        terminal: true,
        stdin: true,
        process: {
          args: ["sh"],
          env: ["PATH=/bin"],
          cwd: "/",
          user: { uid: 0, gid: 0 },
          terminal: true,
          consoleSize: { width: 77, height: 22 },
        },
      });
      const streams = streamsOf(handle);
      const output = collect(streams);
      streams.stdin?.write("tty; stty size\n");
      await delay(200);
      handle.resize({ width: 120, height: 50 });
      await delay(100);
      streams.stdin?.write("stty size; exit 7\n");
      assert.equal((await handle.exited).code, 7);
      const { stdout, stderr } = await output;
      assert.equal(stderr, "");
      assert.match(stdout, /\/dev\/pts\/\d+\r\n22 77\r\n/);
      assert.match(stdout, /50 120\r\n/);
    });

    test("detached: no streams, and output does not block it", async () => {
      const handle = await exec(["sh", "-c", "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; exit 3"], {
        detach: true,
      });
      assert.equal(handle.streams, undefined);
      assert.equal((await handle.exited).code, 3);
    });

    test("a child that keeps the output open does not keep the session", async (context) => {
      if (name === "runc") {
        context.skip("runc exec itself copies the output, and waits for its end");
        return;
      }
      const handle = await exec(["sh", "-c", "sleep 100 & echo started"]);
      const earlier = performance.now();
      assert.equal((await collect(streamsOf(handle))).stdout, "started\n");
      assert.ok(performance.now() - earlier < 5000);
    });

    test("twenty at once, and an id only once", async () => {
      const handles = await Promise.all(Array.from({ length: 20 }, (_, code) => exec(["sh", "-c", `exit ${code}`])));
      const codes = await Promise.all(handles.map(async ({ exited }) => (await exited).code));
      assert.deepEqual(
        codes,
        Array.from({ length: 20 }, (_, code) => code),
      );
      for (const handle of handles) streamsOf(handle).close();
      const first = await exec(["sleep", "100"], { execId: "twice" });
      await assert.rejects(exec(["true"], { execId: "twice" }), AlreadyExists);
      process.kill(first.pid, "SIGKILL");
      await first.exited;
      streamsOf(first).close();
    });

    test("a container that ended has no exec, and ends those that run", async () => {
      const request = bed.container(["sleep", "100"]);
      await bed.runtime.create(request);
      await bed.runtime.start(request.id);
      const handle = await bed.runtime.exec(request.id, bed.execRequest(["sleep", "100"]));
      const exit = exitOf(bed.runtime, request.id);
      await bed.runtime.kill(request.id, 9);
      assert.equal((await handle.exited).code, 137);
      streamsOf(handle).close();
      await exit;
      await assert.rejects(bed.runtime.exec(request.id, bed.execRequest(["true"])), FailedPrecondition);
      await bed.runtime.delete(request.id);
    });
  });
}
