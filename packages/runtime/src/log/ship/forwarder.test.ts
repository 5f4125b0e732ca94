import assert from "node:assert/strict";
import { appendFile, open, rename, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Clock, silentLogger, systemClock, Unavailable } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import fc from "fast-check";
import { LogBlock } from "../log-block.ts";
import { LineAssembler } from "./assemble-lines.ts";
import { LONGEST_MESSAGE, type LogConnection, type LogMessage } from "./contract.ts";
import { LogForwarder, type LogForwarderOptions } from "./forwarder.ts";
import { PositionFile } from "./position-file.ts";

const EPOCH = Date.parse("2026-01-01T00:00:00Z");

function line(n: number, text = `line ${n}`, stream = "stdout", tag = "F"): string {
  return `${new Date(EPOCH + n).toISOString().replace("Z", "000000+00:00")} ${stream} ${tag} ${text}\n`;
}

/** A log server in memory that can be made to fail. */
class Server {
  readonly received: LogMessage[] = [];
  up = true;
  /** Takes a part of the next batch, and breaks. */
  breakAfter: number | undefined;
  hold: Promise<void> | undefined;
  connections = 0;

  readonly connect = async (): Promise<LogConnection> => {
    if (!this.up) throw new Unavailable("nobody listens");
    this.connections++;
    let standing = true;
    return {
      get open() {
        return standing;
      },
      send: async (messages) => {
        await this.hold;
        if (!this.up) throw new Unavailable("the connection broke");
        const taken = this.breakAfter === undefined ? messages : messages.slice(0, this.breakAfter);
        this.received.push(...taken);
        if (this.breakAfter === undefined) return;
        this.breakAfter = undefined;
        standing = false;
        throw new Unavailable("the connection broke");
      },
      [Symbol.asyncDispose]: async () => {
        standing = false;
      },
    };
  };

  get texts(): readonly string[] {
    return this.received.map(({ text }) => text.toString());
  }

  async atLeast(count: number): Promise<void> {
    for (let waited = 0; this.received.length < count; waited += 2) {
      assert.ok(waited < 10_000, `${this.received.length} of ${count} came`);
      await delay(2);
    }
  }
}

/** Waits a hundredth of the time. */
const quick: Clock = { ...systemClock, setTimeout: (ms, callback) => systemClock.setTimeout(ms / 100, callback) };

function forward(folder: string, server: Server, change: Partial<LogForwarderOptions> = {}): LogForwarder {
  return new LogForwarder({
    path: `${folder}/log`,
    positionPath: `${folder}/position`,
    ended: new Promise(() => {}),
    connect: server.connect,
    subject: {},
    clock: quick,
    logger: silentLogger,
    ...change,
  });
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `line ${from + n}`);

test("every line arrives once and in order, over rotations and restarts of the forwarder", async () => {
  await using folder = tempDir("forward");
  const server = new Server();
  const path = folder.join("log");
  let n = 0;
  for (let run = 0; run < 6; run++) {
    const over = Promise.withResolvers<void>();
    const forwarder = forward(folder.path, server, { ended: over.promise });
    for (const end = n + 700; n < end; n++) {
      await appendFile(path, line(n));
      if (n % 300 === 299) await rename(path, `${path}.${Math.floor(n / 300) + 1}`.replace(/\d+$/, "1"));
    }
    if (run % 2 === 0) over.resolve();
    else await server.atLeast(n);
    if (run % 2 === 0) await forwarder.done;
    await forwarder[Symbol.asyncDispose]();
    assert.equal(server.received.length, n);
  }
  assert.deepEqual(server.texts, numbers(0, n));
});

test("a server that is absent, and one that breaks in the middle: nothing is lost, a batch at most comes twice", async () => {
  await using folder = tempDir("forward");
  const server = new Server();
  server.up = false;
  const path = folder.join("log");
  const over = Promise.withResolvers<void>();
  await using forwarder = forward(folder.path, server, { ended: over.promise });
  await appendFile(
    path,
    numbers(0, 100)
      .map((_, n) => line(n))
      .join(""),
  );
  await delay(30);
  assert.equal(server.received.length, 0);
  server.up = true;
  await server.atLeast(100);
  server.breakAfter = 40;
  await appendFile(
    path,
    numbers(100, 200)
      .map((_, n) => line(100 + n))
      .join(""),
  );
  await server.atLeast(240);
  over.resolve();
  await forwarder.done;
  assert.deepEqual(server.texts, [...numbers(0, 140), ...numbers(100, 200)]);
  assert.ok(server.connections >= 2);
});

test("a forwarder that is killed while a batch is on its way sends that batch again, and no other", async () => {
  await using folder = tempDir("forward");
  const first = new Server();
  const path = folder.join("log");
  await writeFile(
    path,
    numbers(0, 1000)
      .map((_, n) => line(n))
      .join(""),
  );
  const crashed = Promise.withResolvers<void>();
  const connect = async (): Promise<LogConnection> => {
    const connection = await first.connect();
    return {
      open: true,
      send: async (messages) => {
        await connection.send(messages);
        // Taken, but the forwarder never hears of it.
        if (first.received.length > 600) await crashed.promise;
      },
      [Symbol.asyncDispose]: async () => crashed.reject(new Unavailable("killed")),
    };
  };
  const killed = forward(folder.path, first, { connect });
  await first.atLeast(601);
  await killed[Symbol.asyncDispose]();
  const second = new Server();
  await using forwarder = forward(folder.path, second, { ended: Promise.resolve() });
  await forwarder.done;
  const repeated = first.received.length + second.received.length - 1000;
  assert.ok(repeated > 0 && repeated <= 256, `${repeated} came twice`);
  assert.deepEqual(second.texts, numbers(first.received.length - repeated, 1000));
});

test("lines in pieces are put together, also over a restart; long ones are cut as Docker does", async () => {
  await using folder = tempDir("forward");
  const path = folder.join("log");
  const server = new Server();
  await writeFile(path, line(1, "begin", "stdout", "P") + line(2, "whole", "stderr"));
  {
    await using _first = forward(folder.path, server);
    await server.atLeast(1);
    await delay(20);
  }
  await appendFile(path, line(3, "+end") + line(4, "z".repeat(40_000)) + line(5, "no end", "stdout", "P"));
  await using second = forward(folder.path, server, { ended: Promise.resolve() });
  await second.done;
  const [whole, joined, a, b, c, unended] = server.received;
  assert.deepEqual(
    [whole?.text.toString(), joined?.text.toString(), joined?.partial],
    ["whole", "begin+end", undefined],
  );
  assert.equal(joined?.time, BigInt(EPOCH + 3) * 1_000_000n);
  assert.deepEqual(
    [a, b, c].map((piece) => [piece?.text.length, piece?.partial?.ordinal, piece?.partial?.last]),
    [
      [LONGEST_MESSAGE, 1, false],
      [LONGEST_MESSAGE, 2, false],
      [40_000 - 2 * LONGEST_MESSAGE, 3, true],
    ],
  );
  assert.equal(new Set([a, b, c].map((piece) => piece?.partial?.id)).size, 1);
  assert.deepEqual([unended?.text.toString(), unended?.partial?.last], ["no end", false]);
  await using third = forward(folder.path, server, { ended: Promise.resolve() });
  await third.done;
  assert.equal(server.received.length, 6);
});

test("however a line was cut, what is put together is the same", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat(20_000), { minLength: 1, maxLength: 4 }), { maxLength: 6 }), (lines) => {
      const assembler = new LineAssembler();
      const got: string[] = [];
      let rest = "";
      for (const pieces of lines) {
        for (const [index, size] of pieces.entries()) {
          const last = index === pieces.length - 1;
          const block = new LogBlock(Buffer.from(line(1, "x".repeat(size), "stdout", last ? "F" : "P")));
          for (const { text, partial } of assembler.add(block, 0)) {
            assert.ok(text.length <= LONGEST_MESSAGE);
            rest += text.toString();
            if (partial?.last === false) continue;
            got.push(rest);
            rest = "";
          }
        }
      }
      assert.deepEqual(
        got,
        lines.map((pieces) => "x".repeat(pieces.reduce((sum, size) => sum + size, 0))),
      );
      assert.deepEqual(assembler.flush(), []);
    }),
  );
});

test("with a limit, what waits too long is left out, the oldest first", async () => {
  await using folder = tempDir("forward");
  const path = folder.join("log");
  const server = new Server();
  server.up = false;
  await writeFile(
    `${path}.1`,
    numbers(0, 2000)
      .map((_, n) => line(n))
      .join(""),
  );
  await writeFile(
    path,
    numbers(2000, 3000)
      .map((_, n) => line(2000 + n))
      .join(""),
  );
  await using forwarder = forward(folder.path, server, { ended: Promise.resolve(), maxBacklog: 30_000 });
  await delay(20);
  server.up = true;
  await forwarder.done;
  const texts = server.texts;
  assert.ok(texts.length < 1000, `${texts.length} lines`);
  assert.equal(texts.at(-1), "line 2999");
  const after = texts.slice(256);
  assert.deepEqual(after, numbers(3000 - after.length, 3000));
  assert.ok(after.length > 400, `${after.length} lines`);
});

test("a position survives a torn write of its successor", async () => {
  await using folder = tempDir("forward");
  const path = folder.join("position");
  {
    await using file = await PositionFile.open(path);
    assert.equal(file.position, undefined);
    for (let offset = 1; offset <= 5; offset++) await file.save({ identity: "a", offset, lines: {} });
  }
  {
    await using file = await open(path, "r+");
    // The newest is in the second slot.
    await file.write("torn", 64 * 1024 + 25);
  }
  await using file = await PositionFile.open(path);
  assert.deepEqual(file.position, { identity: "a", offset: 4, lines: {} });
  await rm(path);
});
