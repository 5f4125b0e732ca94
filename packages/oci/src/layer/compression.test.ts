import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { decompress, detectCompression } from "./compression.ts";

async function* pieces(bytes: Buffer, step = 1000) {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}

async function content(bytes: Buffer, maxBytes?: number, step?: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of decompress(pieces(bytes, step), { maxBytes })) parts.push(part);
  return Buffer.concat(parts);
}

const text = Buffer.from("all work and no play ".repeat(5000));
const halves = [text.subarray(0, 40_000), text.subarray(40_000)] as const;
const skippable = Buffer.concat([Buffer.from("522a4d1805000000", "hex"), Buffer.from("hello")]);

test("gzip, zstd and plain are told apart, members and frames are joined", async () => {
  assert.deepEqual(await content(text), text);
  assert.deepEqual(await content(gzipSync(text), undefined, 1), text);
  assert.deepEqual(await content(Buffer.concat(halves.map((half) => gzipSync(half)))), text);
  assert.deepEqual(await content(Buffer.concat([skippable, ...halves.map((half) => zstdCompressSync(half))])), text);
  assert.deepEqual(await content(Buffer.alloc(0)), Buffer.alloc(0));
});

test("truncated and corrupt streams are refused", async () => {
  for (const [name, whole] of [
    ["gzip", gzipSync(text)],
    ["zstd", zstdCompressSync(text)],
  ] as const) {
    await assert.rejects(content(whole.subarray(0, -20)), {
      name: "InvalidArgument",
      message: `the ${name} stream is truncated`,
    });
    const corrupt = Buffer.from(whole);
    corrupt.fill(0xff, 12, 40);
    await assert.rejects(content(corrupt), {
      name: "InvalidArgument",
      message: new RegExp(`the ${name} stream is corrupt`),
    });
  }
});

test("a bomb ends at the declared limit", async () => {
  const bomb = gzipSync(Buffer.alloc(50 << 20));
  await assert.rejects(content(bomb, 1 << 20), { name: "ResourceExhausted", message: /limit of 1048576 bytes/ });
});

test("formats that images do not have are named", () => {
  assert.throws(() => detectCompression(Buffer.from("fd377a585a0000", "hex")), { name: "Unsupported", message: /^xz/ });
  assert.throws(() => detectCompression(Buffer.from("BZh91AY")), { message: /^bzip2/ });
});
