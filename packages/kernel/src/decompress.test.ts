import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { type ForeignCompression, openForeignDecoder } from "./decompress.ts";

const CONTENT = Buffer.concat([Buffer.alloc(1 << 20, "boxship "), randomBytes(100_000), Buffer.from("end")]);

function decoded(compression: ForeignCompression, input: Buffer, size: number): Buffer {
  using decoder = openForeignDecoder(compression);
  const pieces: Buffer[] = [];
  for (let at = 0; at < input.length; at += size) pieces.push(...decoder.push(input.subarray(at, at + size)));
  pieces.push(...decoder.finish());
  return Buffer.concat(pieces);
}

for (const compression of ["xz", "bzip2"] as const) {
  const compress = (content: Buffer) => execFileSync(compression, ["-c"], { input: content, maxBuffer: 1 << 26 });

  test(`${compression} streams are decoded in pieces of any size, one after another`, () => {
    const one = compress(CONTENT);
    for (const size of [one.length, 65_536, 977]) assert.ok(decoded(compression, one, size).equals(CONTENT), `${size}`);
    const two = Buffer.concat([one, compress(Buffer.from("more"))]);
    assert.ok(decoded(compression, two, 4096).equals(Buffer.concat([CONTENT, Buffer.from("more")])));
    assert.equal(decoded(compression, compress(Buffer.alloc(0)), 5).length, 0);
  });

  test(`${compression} streams that are cut off or damaged are errors`, () => {
    const one = compress(CONTENT);
    assert.throws(() => decoded(compression, one.subarray(0, one.length - 20), 4096), /truncated/);
    const damaged = Buffer.from(one);
    damaged.fill(0xff, one.length >> 1, (one.length >> 1) + 64);
    assert.throws(() => decoded(compression, damaged, 4096), /corrupt|truncated/);
  });
}
