import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument, ResourceExhausted, Unsupported } from "@boxship/base";
import fc from "fast-check";
import { FrameReader, frame, MAX_MESSAGE_BYTES } from "./frame.ts";

function read(pieces: readonly Buffer[]): readonly string[] {
  const reader = new FrameReader();
  const messages = pieces.flatMap((piece) => [...reader.push(piece)].map((bytes) => bytes.toString("hex")));
  reader.finish();
  return messages;
}

test("messages survive any cut of the stream", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 8 }),
      fc.array(fc.nat({ max: 200 }), { maxLength: 12 }),
      (messages, cuts) => {
        const whole = Buffer.concat(messages.map(frame));
        const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length];
        const pieces = places.slice(1).map((end, index) => whole.subarray(places[index], end));
        assert.deepEqual(
          read(pieces),
          messages.map((bytes) => Buffer.from(bytes).toString("hex")),
        );
      },
    ),
  );
});

test("a stream that ends inside of a message is refused", () => {
  const whole = frame(Buffer.from("abc"));
  for (let length = 1; length < whole.length; length++) {
    assert.throws(() => read([whole.subarray(0, length)]), InvalidArgument);
  }
});

test("compressed and too large messages are refused", () => {
  assert.throws(() => read([Buffer.from([1, 0, 0, 0, 1, 65])]), Unsupported);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(MAX_MESSAGE_BYTES + 1, 1);
  assert.throws(() => read([head]), ResourceExhausted);
});
