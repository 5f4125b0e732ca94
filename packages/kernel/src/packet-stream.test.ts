import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import { type Fd } from "./fd.ts";
import { connectPacketStream, LARGEST_PACKET, PacketStream } from "./packet-stream.ts";
import { SocketType, socketPair } from "./pipe.ts";
import { failOnLeaks, temporaryDirectory } from "./testing.ts";
import { listenUnixSocket, sendMessage } from "./unix-socket.ts";

failOnLeaks();

function streams(): [PacketStream, PacketStream] {
  const [left, right] = socketPair(SocketType.SequencedPacket);
  return [new PacketStream(left), new PacketStream(right)];
}

test("every chunk is one message, from one byte to 64 KiB, and the end comes last", async () => {
  const [left, right] = streams();
  const sizes = [1, 2, 8193, 32768, LARGEST_PACKET, 1, 500];
  for (const size of sizes) left.write(Buffer.alloc(size, size % 251));
  left.write(Buffer.alloc(0));
  left.end();
  const received: Buffer[] = [];
  for await (const message of right as AsyncIterable<Buffer>) received.push(message);
  assert.deepEqual(
    received.map(({ length }) => length),
    sizes,
  );
  assert.ok(received.every((message) => message.every((byte) => byte === message.length % 251)));
  left.destroy();
});

test("50,000 messages arrive in order through a full queue, and the writer was told to wait", async () => {
  const [left, right] = streams();
  let waits = 0;
  const sending = (async () => {
    for (let index = 0; index < 50_000; index++) {
      const message = Buffer.alloc(8);
      message.writeUInt32LE(index);
      if (!left.write(message)) {
        waits++;
        await once(left, "drain");
      }
    }
    left.end();
  })();
  let next = 0;
  for await (const message of right as AsyncIterable<Buffer>) {
    assert.equal(message.readUInt32LE(0), next++);
  }
  await sending;
  assert.equal(next, 50_000);
  assert.ok(waits > 0);
  left.destroy();
});

test("each half ends by itself", async () => {
  const [left, right] = streams();
  const ended = [once(right, "end"), once(left, "close"), once(right, "close")];
  const question = once(right, "data");
  left.end(Buffer.from("question"));
  assert.equal(String(((await question) as [Buffer])[0]), "question");
  await ended[0];
  const answer = once(left, "data");
  right.end(Buffer.from("answer"));
  assert.equal(String(((await answer) as [Buffer])[0]), "answer");
  await Promise.all(ended);
});

test("what a peer sent before it went away arrives, however slowly it is read", async () => {
  const [left, right] = socketPair(SocketType.SequencedPacket);
  const reader = new PacketStream(right, { highWaterMark: 2 });
  for (let index = 0; index < 100; index++) sendMessage(left, Buffer.alloc(1 + index, index));
  left.close();
  const received: number[] = [];
  for await (const message of reader as AsyncIterable<Buffer>) {
    received.push(message.length);
    await turn();
  }
  assert.deepEqual(
    received,
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
});

test("it closes after its reader, when both halves had ended long before", async () => {
  const [left, right] = socketPair(SocketType.SequencedPacket);
  const reader = new PacketStream(right);
  const closed = once(reader, "close", { signal: AbortSignal.timeout(30_000) });
  for (let index = 0; index < 3; index++) sendMessage(left, Buffer.from("late"));
  reader.end();
  await once(reader, "finish");
  left.close();
  await once(reader, "readable");
  // Node's socket below has seen both ends by then, and closes.
  await delay(20);
  let count = 0;
  reader.on("data", () => count++);
  await closed;
  assert.equal(count, 3);
});

test("a peer that goes away ends reading and fails writing", async () => {
  const [left, right] = streams();
  right.destroy();
  left.resume();
  await once(left, "end");
  left.write(Buffer.from("x"));
  const [error] = (await once(left, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "EPIPE");
});

test("a message that is too large is an error", async () => {
  const [left, right] = socketPair(SocketType.SequencedPacket);
  const reader = new PacketStream(right);
  const writer = new PacketStream(left);
  writer.write(Buffer.alloc(LARGEST_PACKET + 1));
  reader.resume();
  const [error] = (await once(reader, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "EMSGSIZE");
  writer.destroy();
});

test("an idle stream that nobody reads does not spin when its peer is gone", async () => {
  const [left, right] = streams();
  right.destroy();
  const started = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { user, system } = process.cpuUsage(started);
  assert.ok(user + system < 60_000, `${user + system} µs of CPU in 100 ms`);
  left.destroy();
});

test("a stream connects by path", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "attach");
  const accepted = Promise.withResolvers<Fd>();
  using _listener = listenUnixSocket(path, accepted.resolve, accepted.reject, { type: SocketType.SequencedPacket });
  const client = await connectPacketStream(path);
  const server = new PacketStream(await accepted.promise);
  server.write(Buffer.from("hi"));
  const [message] = (await once(client, "data")) as [Buffer];
  assert.equal(String(message), "hi");
  client.destroy();
  server.destroy();
  await assert.rejects(connectPacketStream(join(directory.path, "absent")), { code: "ENOENT" });
});
