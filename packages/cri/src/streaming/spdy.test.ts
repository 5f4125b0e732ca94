import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import fc from "fast-check";
import { SpdyConnection } from "./spdy-connection.ts";
import { SPDY_DICTIONARY } from "./spdy-dictionary.ts";
import { SpdyHeaderCodec } from "./spdy-headers.ts";

test("the dictionary is the one that everybody has", () => {
  let [a, b] = [1, 0];
  for (const byte of SPDY_DICTIONARY) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  // What deflate streams of clients name it by.
  assert.equal((b * 65536 + a).toString(16), "e3c6a7c2");
});

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);

test("headers come out as they went in, one block after another", async () => {
  const blocks = fc.array(fc.dictionary(name, fc.stringMatching(/^[ -~]{0,40}$/)), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(blocks, async (all) => {
      using sender = new SpdyHeaderCodec();
      using receiver = new SpdyHeaderCodec();
      for (const headers of all) {
        const block = await sender.encode(new Map(Object.entries(headers)));
        assert.deepEqual(Object.fromEntries(await receiver.decode(block)), { ...headers });
      }
    }),
    { numRuns: 50 },
  );
});

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

const frame = (head: number, flags: number, body: Buffer): Buffer =>
  Buffer.concat([word(head), word((flags << 24) | body.length), body]);

const SYN_STREAM = 0x80030001;

test("streams are opened, read and answered, however the bytes are cut", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 100_000 }), fc.integer({ min: 1, max: 4000 }), async (data, cut) => {
      using codec = new SpdyHeaderCodec();
      const [near, far] = duplexPair();
      const connection = new SpdyConnection(far, (stream) => {
        assert.equal(stream.headers.get("streamtype"), "data");
        stream.pipe(stream);
      });
      const running = connection.run();
      const block = await codec.encode(new Map([["streamtype", "data"]]));
      const open = frame(SYN_STREAM, 0, Buffer.concat([word(1), word(0), Buffer.alloc(2), block]));
      const bytes = Buffer.concat([open, frame(1, 0, Buffer.from(data)), frame(1, 1, Buffer.alloc(0))]);
      const answer = readEcho(near);
      for (let at = 0; at < bytes.length; at += cut) near.write(bytes.subarray(at, at + cut));
      assert.equal((await answer).equals(Buffer.from(data)), true);
      near.end();
      await buffer(near).catch(() => {});
      await running;
    }),
    { numRuns: 20 },
  );
});

/** The data of the only stream, until it ends. */
async function readEcho(connection: AsyncIterable<Buffer> & { pause(): void }): Promise<Buffer> {
  let rest = Buffer.alloc(0);
  const parts: Buffer[] = [];
  const iterator = connection[Symbol.asyncIterator]();
  for (;;) {
    const { value, done } = await iterator.next();
    if (done === true) return Buffer.concat(parts);
    rest = Buffer.concat([rest, value]);
    while (rest.length >= 8) {
      const size = 8 + (rest.readUInt32BE(4) & 0xffffff);
      if (rest.length < size) break;
      const isData = (rest[0] ?? 0) < 0x80;
      if (isData) parts.push(rest.subarray(8, size));
      if (isData && ((rest[4] ?? 0) & 1) !== 0) return Buffer.concat(parts);
      rest = rest.subarray(size);
    }
  }
}

test("what is no frame ends the connection", async () => {
  const [near, far] = duplexPair();
  const running = new SpdyConnection(far, () => {}).run();
  near.write(Buffer.alloc(64, 0xff));
  await assert.rejects(running, /too large/);
  near.destroy();
});
