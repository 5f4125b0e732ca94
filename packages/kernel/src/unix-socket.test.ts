import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { type Fd } from "./fd.ts";
import { SocketType, socketPair } from "./pipe.ts";
import { failOnLeaks, temporaryDirectory } from "./testing.ts";
import { connectUnixSocket, listenUnixSocket, receiveMessage, sendMessage } from "./unix-socket.ts";

failOnLeaks();

/** A listener that hands out its connections one by one. */
function acceptor(path: string, type: number) {
  const waiting: ((connection: Fd) => void)[] = [];
  const listener = listenUnixSocket(
    path,
    (connection) => waiting.shift()?.(connection),
    (error) => assert.fail(String(error)),
    { type },
  );
  return {
    next: () => new Promise<Fd>((resolve) => waiting.push(resolve)),
    [Symbol.dispose]: () => listener[Symbol.dispose](),
  };
}

test("paths of any length are listened on and connected to", async () => {
  using directory = temporaryDirectory();
  const deep = join(directory.path, "d".repeat(200), "e".repeat(200));
  mkdirSync(deep, { recursive: true });
  for (const path of [join(directory.path, "short"), join(deep, "socket")]) {
    for (const type of [SocketType.Stream, SocketType.SequencedPacket]) {
      using listener = acceptor(`${path}-${type}`, type);
      const accepted = listener.next();
      using client = await connectUnixSocket(`${path}-${type}`, type);
      using server = await accepted;
      assert.equal(sendMessage(client, Buffer.from("hello")), true);
      const buffer = Buffer.alloc(10);
      assert.equal(receiveMessage(server, buffer), 5);
    }
  }
});

test("failures keep their names", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "socket");
  await assert.rejects(connectUnixSocket(path), { code: "ENOENT" });
  {
    using _listener = acceptor(path, SocketType.Stream);
    await assert.rejects(connectUnixSocket(path, SocketType.SequencedPacket), { code: "EPROTOTYPE" });
    assert.throws(() => acceptor(path, SocketType.Stream), { code: "EADDRINUSE" });
  }
  await assert.rejects(connectUnixSocket(path), { code: "ECONNREFUSED" });
  await assert.rejects(connectUnixSocket(join(directory.path, "x".repeat(120))), { code: "ENAMETOOLONG" });
});

test("messages keep their boundaries; nothing, the end and oversize are told apart", () => {
  const [left, right] = socketPair(SocketType.SequencedPacket);
  const buffer = Buffer.alloc(16);
  assert.equal(receiveMessage(right, buffer), undefined);
  sendMessage(left, Buffer.from("one"));
  sendMessage(left, Buffer.from("three"));
  assert.equal(receiveMessage(right, buffer), 3);
  assert.equal(receiveMessage(right, buffer), 5);
  sendMessage(left, Buffer.alloc(17));
  assert.throws(() => receiveMessage(right, buffer), { code: "EMSGSIZE" });
  let sent = 0;
  while (sendMessage(left, Buffer.alloc(16))) sent++;
  assert.ok(sent > 0);
  for (let count = 0; count < sent; count++) assert.equal(receiveMessage(right, buffer), 16);
  left.close();
  assert.equal(receiveMessage(right, buffer), 0);
  assert.throws(() => sendMessage(right, buffer), { code: "EPIPE" });
  right.close();
});

test("many connect to a listener that is late", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "socket");
  // Its queue takes two, and it looks at them only after a while.
  const source = `
    const { createServer } = require("node:net");
    const { parentPort } = require("node:worker_threads");
    let accepted = 0;
    const server = createServer((socket) => {
      socket.on("error", () => {}).resume();
      if (++accepted === 20) server.close();
    }).listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => {
      parentPort.postMessage("listens");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
    });`;
  const worker = new Worker(source, { eval: true });
  const ended = once(worker, "exit");
  await once(worker, "message");
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectUnixSocket(path)));
  for (const client of clients) client.close();
  await ended;
});
