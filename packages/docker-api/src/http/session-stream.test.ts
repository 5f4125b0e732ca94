import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { text as readText } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { FailedPrecondition, InvalidArgument } from "@boxship/base";
import { ExecUsed, type OutputFrame, StartFailed } from "@boxship/engine";
import { WebSocket } from "ws";
import { noSuchContainer, scriptedEngine, scriptedSession } from "../testing/scripted-engine.ts";
import { readToEnd, readUntil, serve } from "../testing/serve.ts";

const UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

function head(path: string, extra = "", body = ""): string {
  return `POST ${path} HTTP/1.1\r\nHost: docker\r\n${extra}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** The bytes after the head of the answer. */
function afterHead(bytes: Buffer): Buffer {
  return bytes.subarray(bytes.indexOf("\r\n\r\n") + 4);
}

function frame(stream: number, text: string): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, text.length]);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** Sessions that count what they are given, slowly at first. */
function counting() {
  const session = () =>
    scriptedSession(async function* ({ stdin }) {
      let length = 0;
      for await (const chunk of stdin) {
        if (length < 1 << 18) await delay(5);
        length += (chunk as Buffer).length;
      }
      yield { stream: "stdout" as const, data: Buffer.from(String(length)) };
    }).session;
  return { session, input: Buffer.alloc(1 << 20, "x") };
}

const FRAMES: readonly OutputFrame[] = [
  { stream: "stdout", data: Buffer.from("out") },
  { stream: "stderr", data: Buffer.from("error") },
];

test("attach with an upgrade: 101, frames, and the end", async () => {
  const { session } = scriptedSession(() => FRAMES);
  await using served = await serve(scriptedEngine({ containers: { attach: () => Promise.resolve(session) } }));
  const socket = await served.connect();
  socket.write(head("/v1.51/containers/web/attach?stdout=1&stderr=1&stream=1", UPGRADE));
  const bytes = await readToEnd(socket);
  const text = bytes.toString("latin1");
  assert.match(text, /^HTTP\/1\.1 101 UPGRADED\r\n/);
  assert.match(text, /\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream\r\n/);
  assert.match(text, /\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n/);
  assert.deepEqual(afterHead(bytes), Buffer.concat([frame(1, "out"), frame(2, "error")]));
  socket.destroy();
});

test("a client that vanishes while nobody takes its input is let go of; one that has only ended it is not", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const sessions = [0, 1].map(() =>
    scriptedSession(async function* ({ closed }) {
      yield { stream: "stdout" as const, data: Buffer.from("hears") };
      await closed;
    }),
  );
  const [waits, vanishes] = sessions as [(typeof sessions)[0], (typeof sessions)[0]];
  const attach = (ref: string) => Promise.resolve((ref === "waits" ? waits : vanishes).session);
  await using served = await serve(scriptedEngine({ containers: { attach } }));
  const attached = async (name: string) => {
    const socket = await served.connect();
    socket.write(head(`/v1.51/containers/${name}/attach?stdin=1&stdout=1&stream=1`, UPGRADE));
    await readUntil(socket, "hears");
    socket.write(Buffer.alloc(4 << 20));
    return socket;
  };
  let letGo = false;
  void waits.closed.then(() => (letGo = true));
  const waiting = await attached("waits");
  waiting.end();
  const vanishing = await attached("vanishes");
  while (vanishes.stdin.writableLength === 0) await delay(1);
  vanishing.destroy();
  let gone = false;
  void vanishes.closed.then(() => (gone = true));
  const probe = async (until: () => boolean) => {
    for (let times = 0; times < 1000 && !until(); times++) {
      t.mock.timers.tick(30_000);
      await delay(1);
    }
  };
  await probe(() => gone);
  assert.deepEqual([gone, letGo], [true, false]);
  waiting.destroy();
  await probe(() => letGo);
  assert.equal(letGo, true);
});

test("attach without an upgrade: the old 200, still a stream in both directions", async () => {
  const { session } = scriptedSession(async function* ({ stdin }) {
    for await (const data of stdin) yield { stream: "stdout" as const, data: data as Buffer };
    yield { stream: "stdout" as const, data: Buffer.from("over") };
  });
  await using served = await serve(scriptedEngine({ containers: { attach: () => Promise.resolve(session) } }));
  const socket = await served.connect();
  socket.write(head("/v1.24/containers/web/attach?stdin=1&stdout=1&stream=1"));
  assert.match(
    await readUntil(socket, "\r\n\r\n"),
    /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\n\r\n$/,
  );
  socket.write("GET / HTTP/1.1\r\n");
  await readUntil(socket, "HTTP/1.1");
  // Half-close: the process sees the end of its input, its output still arrives.
  socket.end();
  assert.match((await readToEnd(socket)).toString("latin1"), /over$/);
});

test("a terminal is one raw stream", async () => {
  const { session } = scriptedSession(() => [{ stream: "stdout", data: Buffer.from("raw") }], true);
  await using served = await serve(scriptedEngine({ execs: { start: () => Promise.resolve(session) } }));
  const socket = await served.connect();
  const body = '{"Tty":true,"ConsoleSize":[24,80]}';
  socket.write(head("/v1.51/exec/e1/start", `${UPGRADE}Content-Type: application/json\r\n`, body));
  const bytes = await readToEnd(socket);
  assert.match(bytes.toString("latin1"), /vnd\.docker\.raw-stream/);
  assert.equal(afterHead(bytes).toString(), "raw");
  socket.destroy();
});

test("input that comes with the request is not lost, and its end is passed on", async () => {
  const { session } = scriptedSession(async function* ({ stdin }) {
    const received = await readText(stdin);
    yield { stream: "stdout" as const, data: Buffer.from(received) };
  });
  await using served = await serve(scriptedEngine({ execs: { start: () => delay(20).then(() => session) } }));
  const socket = await served.connect();
  socket.end(`${head("/v1.41/exec/e1/start", `${UPGRADE}Content-Type: application/json\r\n`, "{}")}first second`);
  assert.equal(afterHead(await readToEnd(socket)).toString("latin1"), frame(1, "first second").toString("latin1"));
});

test("input is taken whole and at the process's pace, in however many pieces request, body and input arrive", async () => {
  const { session, input } = counting();
  await using served = await serve(
    scriptedEngine({
      execs: { start: () => Promise.resolve(session()) },
      containers: { attach: () => Promise.resolve(session()) },
    }),
  );
  for (const path of ["/v1.41/exec/e1/start", "/v1.41/containers/web/attach?stdin=1&stdout=1&stream=1"]) {
    for (const withBody of ["", "first "]) {
      const socket = await served.connect();
      const whole = head(path, `${UPGRADE}Content-Type: application/json\r\n`, "{}");
      socket.write(whole.slice(0, -2));
      await delay(20);
      const reading = readToEnd(socket);
      socket.write(`{}${withBody}`);
      await delay(20);
      socket.end(input);
      assert.equal(
        afterHead(await reading)
          .subarray(8)
          .toString("latin1"),
        String(withBody.length + input.length),
        path,
      );
    }
  }
});

test("an error before the stream is an ordinary answer, with and without an upgrade", async () => {
  await using served = await serve(
    scriptedEngine({ containers: { attach: (ref) => Promise.reject(noSuchContainer(ref)) } }),
  );
  for (const extra of [UPGRADE, "Connection: close\r\n"]) {
    const socket = await served.connect();
    socket.write(head("/containers/nope/attach?stream=1", extra));
    const text = (await readToEnd(socket)).toString();
    assert.match(text, /^HTTP\/1\.1 404 Not Found\r\n/);
    assert.match(text, /\{"message":"No such container: nope"\}\n$/);
    socket.destroy();
  }
  assert.equal(served.api.active, 0);
});

test("a command that cannot be started is told in the stream; other failures have a status", async () => {
  const failures = [
    new StartFailed('exec "nope" failed', 127),
    new InvalidArgument("no such user"),
    new FailedPrecondition("container is paused"),
    new InvalidArgument("no such user"),
    new ExecUsed("e1", true),
    new ExecUsed("e1", false),
  ];
  await using served = await serve(
    scriptedEngine({ execs: { start: () => Promise.reject(failures.shift() ?? new Error()) } }),
  );
  const run = async (upgrade = UPGRADE) => {
    const socket = await served.connect();
    socket.write(head("/v1.41/exec/e1/start", `${upgrade}Content-Type: application/json\r\n`, "{}"));
    const bytes = await readToEnd(socket);
    socket.destroy();
    return bytes.toString("latin1");
  };
  assert.match(await run(), /^HTTP\/1\.1 101 [^]*exec "nope" failed: executable file not found in \$PATH\r\n$/);
  assert.match(await run(), /^HTTP\/1\.1 101 [^]*no such user\r\n$/);
  assert.match(await run(), /^HTTP\/1\.1 409 [^]*"container is paused"/);
  // Who does not ask for an upgrade can read a status.
  assert.match(await run("Connection: close\r\n"), /^HTTP\/1\.1 400 [^]*"no such user"/);
  assert.match(await run("Connection: close\r\n"), /^HTTP\/1\.1 200 [^]*error: exec command e1 has already run\r\n$/);
  assert.match(await run(), /^HTTP\/1\.1 101 [^]*error: exec command e1 is already running\r\n$/);
});

test("a reader that is behind stops the process's output, and nothing is lost", async () => {
  const size = 64 << 10;
  const count = 200;
  let produced = 0;
  const { session } = scriptedSession(async function* () {
    for (; produced < count; produced++) yield { stream: "stdout" as const, data: Buffer.alloc(size, produced) };
  }, true);
  await using served = await serve(scriptedEngine({ containers: { attach: () => Promise.resolve(session) } }));
  const socket = await served.connect();
  socket.write(head("/containers/web/attach?stdout=1&stream=1", UPGRADE));
  await readUntil(socket, "\r\n\r\n");
  await delay(150);
  assert.ok(produced < count / 2, `${produced} of ${count} were produced for a client that does not read`);
  let total = 0;
  socket.on("data", (chunk: Buffer) => (total += chunk.length));
  await once(socket, "end");
  assert.ok(total > (count - 4) * size && produced === count);
  socket.destroy();
});

test("a client that vanishes lets go of the process", async () => {
  const { session, closed } = scriptedSession(async function* (process) {
    await process.closed;
    yield* [] as OutputFrame[];
  });
  await using served = await serve(scriptedEngine({ containers: { attach: () => Promise.resolve(session) } }));
  for (const stdin of ["0"]) {
    const socket = await served.connect();
    socket.write(head(`/containers/web/attach?stdin=${stdin}&stdout=1&stream=1`, UPGRADE));
    await readUntil(socket, "\r\n\r\n");
    socket.destroy();
    await closed;
  }
  while (served.api.active > 0) await delay(5);
});

test("attach over a WebSocket: raw, both ways, closed with 1000", async () => {
  const { session } = scriptedSession(async function* ({ stdin }) {
    for await (const chunk of stdin) {
      yield { stream: "stdout" as const, data: chunk as Buffer };
      if ((chunk as Buffer).toString() === "end") return;
    }
  });
  await using served = await serve(scriptedEngine({ containers: { attach: () => Promise.resolve(session) } }));
  const socket = new WebSocket(
    `ws+unix://${served.socketPath}:/v1.51/containers/web/attach/ws?stream=1&stdin=1&stdout=1`,
  );
  await once(socket, "open");
  const received: string[] = [];
  socket.on("message", (data: Buffer) => received.push(data.toString()));
  socket.send("hello");
  while (received.length === 0) await delay(5);
  socket.send("end");
  const [code] = (await once(socket, "close")) as [number];
  assert.deepEqual([received, code], [["hello", "end"], 1000]);
  assert.equal((await served.call("GET", "/containers/web/attach/ws")).status, 400);
});

/** A client's frame: the mask is zero, which masks nothing. */
function webFrame(kind: number, text: string, { last = true, masked = true } = {}): Buffer {
  const data = Buffer.from(text, "latin1");
  const start = [(last ? 0x80 : 0) | kind, (masked ? 0x80 : 0) | data.length, ...(masked ? [0, 0, 0, 0] : [])];
  return Buffer.concat([Buffer.from(start), data]);
}

test("WebSocket frames: fragments and bytes of any kind arrive; what is no frame closes that stream alone", async () => {
  const received: Buffer[] = [];
  const attach = () =>
    Promise.resolve(
      scriptedSession(async function* ({ stdin }) {
        for await (const chunk of stdin) received.push(chunk as Buffer);
        yield* [] as OutputFrame[];
      }).session,
    );
  await using served = await serve(scriptedEngine({ containers: { attach } }));
  const open = async (): Promise<Socket> => {
    const socket = await served.connect();
    socket.write(
      "GET /containers/web/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" +
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert.match(await readUntil(socket, "\r\n\r\n"), /^HTTP\/1\.1 101 /);
    return socket;
  };
  const good = await open();
  const fragments = [
    webFrame(1, "a\xff", { last: false }),
    webFrame(9, ""),
    webFrame(0, "", { last: false }),
    webFrame(0, "b"),
  ];
  good.write(Buffer.concat(fragments));
  while (received.length === 0) await delay(5);
  assert.equal(Buffer.concat(received).toString("latin1"), "a\xffb");
  const bad = [
    webFrame(1, "x", { masked: false }),
    webFrame(3, "x"),
    webFrame(0, "x"),
    webFrame(9, "x", { last: false }),
    Buffer.from([0xc1, 0x80, 0, 0, 0, 0]),
    Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]),
    Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0, 5]),
    Buffer.concat([
      webFrame(2, "", { last: false }),
      ...Array.from({ length: 70_000 }, () => webFrame(0, "", { last: false })),
    ]),
  ];
  for (const bytes of bad) {
    const socket = await open();
    socket.on("error", () => {});
    socket.write(bytes);
    // A close frame with the reason.
    const [answer] = (await once(socket, "data")) as [Buffer];
    assert.equal(answer[0], 0x88);
    socket.destroy();
  }
  good.write(webFrame(1, "c"));
  while (received.length < 2) await delay(5);
  good.destroy();
  while (served.api.active > 0) await delay(5);
});

test("closing the server ends attached streams", async () => {
  const { session } = scriptedSession(async function* (process) {
    await process.closed;
    yield* [] as OutputFrame[];
  });
  await using served = await serve(scriptedEngine({ containers: { attach: () => Promise.resolve(session) } }));
  const socket = await served.connect();
  socket.write(head("/containers/web/attach?stdout=1&stream=1", UPGRADE));
  await readUntil(socket, "\r\n\r\n");
  const ended = once(socket, "end");
  socket.resume();
  await Promise.all([served.api.close(1000), ended]);
  socket.destroy();
});
