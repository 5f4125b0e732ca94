import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { DescriptorStream, duplexOver, readableFrom, writableTo } from "./descriptor-stream.ts";
import { Fd } from "./fd.ts";
import { pipe, socketPair } from "./pipe.ts";
import { failOnLeaks } from "./testing.ts";

failOnLeaks();

function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let index = 0; index < size; index += 4) bytes.writeUInt32LE((index * 2654435761) % 2 ** 32, index);
  return bytes;
}

async function digestOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest("hex");
}

test("a pipe carries bytes and its end", async () => {
  const ends = pipe();
  const bytes = pattern(4 << 20);
  const received = digestOf(readableFrom(ends.readEnd));
  await pipeline([bytes.subarray(0, 1000), bytes.subarray(1000)], writableTo(ends.writeEnd));
  assert.equal(await received, createHash("sha256").update(bytes).digest("hex"));
});

test("a writer is told to wait, and that the reader is gone", async () => {
  const ends = pipe();
  const writer = writableTo(ends.writeEnd);
  while (writer.write(Buffer.alloc(65536)));
  assert.ok(writer.writableNeedDrain);
  const failed = once(writer, "error");
  ends.readEnd.close();
  const [error] = (await failed) as [NodeJS.ErrnoException];
  assert.equal(error.code, "EPIPE");
});

test("a socket's halves end separately", async () => {
  const [left, right] = socketPair().map(duplexOver);
  assert.ok(left !== undefined && right !== undefined);
  left.end("question");
  const [question] = (await once(right, "data")) as [Buffer];
  assert.equal(String(question), "question");
  await once(right, "end");
  right.end("answer");
  assert.equal(await text(left), "answer");
});

test("the same stream on our own event loop", async () => {
  const [a, b] = socketPair();
  const [left, right] = [new DescriptorStream(a), new DescriptorStream(b)];
  const bytes = pattern(3 << 20);
  const received = digestOf(right);
  left.write(bytes.subarray(0, 1 << 20));
  await new Promise((resolve) => left.write(bytes.subarray(1 << 20), resolve));
  left.destroy();
  assert.equal(await received, createHash("sha256").update(bytes).digest("hex"));
  right.destroy();
});

test("files are refused and stay the caller's", () => {
  using file = new Fd(openSync("/etc/passwd", "r"));
  assert.throws(() => readableFrom(file), { code: "InvalidArgument" });
});
