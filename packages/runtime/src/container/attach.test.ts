import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { FailedPrecondition, NotFound } from "@boxship/base";
import type { AttachStreams, StreamFrame } from "../contract.ts";
import { collect, exitOf, INSTALLED_RUNTIMES, openTestBed, type TestBed } from "../testing.ts";

const ALL = { stdin: true, stdout: true, stderr: true };

async function readUntil(streams: AttachStreams, text: string): Promise<string> {
  let seen = "";
  for (;;) {
    const frame = streams.output.read() as StreamFrame | null;
    if (frame !== null) seen += frame.data.toString();
    if (seen.includes(text)) return seen;
    if (frame === null) await once(streams.output, "readable", { signal: AbortSignal.timeout(10_000) });
  }
}

for (const name of INSTALLED_RUNTIMES) {
  describe(`attached streams on ${name}`, () => {
    let bed: TestBed;
    before(async () => {
      bed = await openTestBed(name);
    });
    after(() => bed[Symbol.asyncDispose]());

    test("both outputs are told apart", async () => {
      const { stdout, stderr } = await bed.run(["sh", "-c", "echo out; echo err >&2; echo out again"]);
      assert.equal(stdout, "out\nout again\n");
      assert.equal(stderr, "err\n");
    });

    test("a half-closed input is the end of input, and output goes on", async () => {
      const { runtime } = bed;
      const request = bed.container(["sh", "-c", "cat; echo done"], { stdin: true, stdinOnce: true });
      await runtime.create(request);
      const streams = await runtime.attach(request.id, ALL);
      const exit = exitOf(runtime, request.id);
      await runtime.start(request.id);
      streams.stdin?.write("some ");
      streams.stdin?.end("input\n");
      assert.equal((await collect(streams)).stdout, "some input\ndone\n");
      assert.equal((await exit).code, 0);
      await runtime.delete(request.id);
    });

    test("without an open input reading ends at once", async () => {
      assert.equal((await bed.run(["sh", "-c", "cat; echo end"])).stdout, "end\n");
    });

    test("100 MB pass unchanged in both directions", async () => {
      const { runtime } = bed;
      const request = bed.container(["cat"], { stdin: true, stdinOnce: true });
      await runtime.create(request);
      const streams = await runtime.attach(request.id, ALL);
      await runtime.start(request.id);
      const block = randomBytes(1 << 20);
      const sent = createHash("sha256");
      const received = createHash("sha256");
      let size = 0;
      const reading = (async () => {
        for await (const { data } of streams.output as AsyncIterable<StreamFrame>) {
          received.update(data);
          size += data.length;
        }
      })();
      for (let index = 0; index < 100; index++) {
        block.writeUInt32LE(index, 0);
        const copy = Buffer.from(block);
        sent.update(copy);
        if (streams.stdin?.write(copy) === false) await once(streams.stdin, "drain");
      }
      streams.stdin?.end();
      await reading;
      assert.equal(size, 100 << 20);
      assert.equal(received.digest("hex"), sent.digest("hex"));
      await runtime.delete(request.id);
    });

    test("several clients see the same, and one that only watches may leave", async () => {
      const { runtime } = bed;
      const request = bed.container(["cat"], { stdin: true, stdinOnce: true });
      await runtime.create(request);
      const writer = await runtime.attach(request.id, ALL);
      const watcher = await runtime.attach(request.id, { ...ALL, stdin: false });
      const leaver = await runtime.attach(request.id, { ...ALL, stdin: false });
      assert.equal(watcher.stdin, undefined);
      await runtime.start(request.id);
      const outputs = [collect(writer), collect(watcher)];
      writer.stdin?.write("one\n");
      await readUntil(leaver, "one");
      leaver.close();
      leaver.close();
      await delay(100);
      writer.stdin?.end("two\n");
      for (const output of outputs) assert.equal((await output).stdout, "one\ntwo\n");
      await runtime.delete(request.id);
    });

    test("a client is attached when conmon has taken it, however late that is", async () => {
      const { runtime, options } = bed;
      const request = bed.container(["echo", "hello"]);
      await runtime.create(request);
      const conmon = Number(readFileSync(join(options.runDir, "containers", request.id, "conmon.pid"), "utf8"));
      process.kill(conmon, "SIGSTOP");
      let attached = 0;
      // More than its queue takes.
      const clients = Array.from({ length: 30 }, async () => {
        const streams = await runtime.attach(request.id, { ...ALL, stdin: false });
        attached++;
        return streams;
      });
      await delay(50);
      assert.equal(attached, 0);
      process.kill(conmon, "SIGCONT");
      const outputs = (await Promise.all(clients)).map(collect);
      await runtime.start(request.id);
      for (const output of outputs) assert.equal((await output).stdout, "hello\n");
      await runtime.delete(request.id);
    });

    test("an input that stays open outlives its clients", async () => {
      const { runtime } = bed;
      const request = bed.container(["cat"], { stdin: true });
      await runtime.create(request);
      await runtime.start(request.id);
      for (const word of ["first", "second"]) {
        const streams = await runtime.attach(request.id, ALL);
        streams.stdin?.write(`${word}\n`);
        await readUntil(streams, word);
        streams.close();
        await delay(50);
      }
      assert.equal((await runtime.state(request.id)).status, "running");
      await runtime.delete(request.id);
    });

    test("what a process is slow to take waits for it, and the end of one client's input is everybody's", async () => {
      const { runtime } = bed;
      const request = bed.container(["sh", "-c", "read line; echo $line; read line; wc -c"], {
        stdin: true,
        stdinOnce: true,
      });
      await runtime.create(request);
      const [first, second] = [await runtime.attach(request.id, ALL), await runtime.attach(request.id, ALL)];
      await runtime.start(request.id);
      const outputs = [collect(first), readUntil(second, "one")];
      second.stdin?.write("one\n");
      await outputs[1];
      const finished = new Promise((resolve) => first.stdin?.end(`go\n${"x".repeat(3_000_000)}`, () => resolve(true)));
      assert.equal((await collect(second)).stdout, "3000000\n");
      assert.deepEqual(await outputs[0], { stdout: "one\n3000000\n", stderr: "" });
      assert.equal(await finished, true);
      await runtime.delete(request.id);
    });

    test("a client that leaves ends an input that is for one client, and one that talks to nobody fails nothing", async () => {
      const { runtime } = bed;
      const request = bed.container(["sh", "-c", "read line; exec <&-; echo closed; sleep 1000"], {
        stdin: true,
        stdinOnce: true,
      });
      await runtime.create(request);
      const streams = await runtime.attach(request.id, ALL);
      await runtime.start(request.id);
      streams.stdin?.write("line\n");
      await readUntil(streams, "closed");
      await new Promise((resolve) => streams.stdin?.write("to nobody\n", resolve));
      assert.equal((await runtime.state(request.id)).status, "running");
      await runtime.delete(request.id);
      const reader = bed.container(["cat"], { stdin: true, stdinOnce: true });
      await runtime.create(reader);
      const leaver = await runtime.attach(reader.id, ALL);
      const exit = exitOf(runtime, reader.id);
      await runtime.start(reader.id);
      leaver.close();
      assert.equal((await exit).code, 0);
      await runtime.delete(reader.id);
    });

    test("a reader that does not read holds up the container, and nothing is lost", async () => {
      const { runtime } = bed;
      const request = bed.container(["sh", "-c", "head -c 4000000 /dev/zero; echo end >&2"]);
      await runtime.create(request);
      const streams = await runtime.attach(request.id, { ...ALL, stdin: false });
      await runtime.start(request.id);
      await delay(300);
      assert.equal((await runtime.state(request.id)).status, "running");
      const { stdout, stderr } = await collect(streams);
      assert.equal(stdout.length, 4_000_000);
      assert.equal(stderr, "end\n");
      await runtime.delete(request.id);
    });

    test("a terminal: one stream, echo, size, resizing", async () => {
      const { runtime } = bed;
      const request = bed.container(["sh"], {
        terminal: true,
        stdin: true,
        stdinOnce: true,
        spec: { consoleSize: { width: 90, height: 30 } },
      });
      await runtime.create(request);
      const streams = await runtime.attach(request.id, ALL);
      const exit = exitOf(runtime, request.id);
      await runtime.start(request.id);
      streams.stdin?.write("tty; stty size; ls -l /nosuch\n");
      const first = await readUntil(streams, "nosuch: No such file");
      assert.match(first, /\/dev\/(pts\/0|console)/);
      assert.match(first, /30 90/);
      for (const width of [101, 102, 103]) runtime.resize(request.id, { width, height: 44 });
      await delay(100);
      streams.stdin?.write("stty size\n");
      await readUntil(streams, "44 103");
      streams.stdin?.write("exit 9\n");
      assert.equal((await exit).code, 9);
      await runtime.delete(request.id);
    });

    test("a terminal can be left and attached again", async () => {
      const { runtime } = bed;
      const request = bed.container(["sh"], { terminal: true, stdin: true, stdinOnce: true });
      await runtime.create(request);
      await runtime.start(request.id);
      for (const word of ["one", "two"]) {
        const streams = await runtime.attach(request.id, ALL);
        streams.stdin?.write(`echo ${word}-$((1+1))\n`);
        await readUntil(streams, `${word}-2`);
        streams.close();
      }
      await runtime.delete(request.id);
    });

    test("a container that is gone cannot be attached", async () => {
      await assert.rejects(bed.runtime.attach("none", ALL), NotFound);
      const request = bed.container(["true"]);
      await bed.runtime.create(request);
      const exit = exitOf(bed.runtime, request.id);
      await bed.runtime.start(request.id);
      await exit;
      await assert.rejects(bed.runtime.attach(request.id, ALL), FailedPrecondition);
      await bed.runtime.delete(request.id);
    });
  });
}
