import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeMessage, encodeMessage, readStatus, readTimeout, statusTrailers } from "./metadata.ts";
import { RpcStatus } from "./well-known.ts";

test("messages of errors survive a header", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 500 }), (text) => {
      const encoded = encodeMessage(text);
      assert.match(encoded, /^[\x20-\x7e]*$/);
      assert.equal(decodeMessage(encoded), text.toWellFormed());
    }),
  );
  assert.equal(decodeMessage("50% off %zz"), "50% off %zz");
});

test("a status is read as it was written, details aside", () => {
  const status = { code: 9, message: "näh\nno", details: [{ typeUrl: "x/y", value: Buffer.from("{}") }] };
  const trailers = statusTrailers(status);
  assert.deepEqual(readStatus({ ...trailers } as never), { code: 9, message: "näh\nno" });
  const details = RpcStatus.decode(Buffer.from(String(trailers["grpc-status-details-bin"]), "base64"));
  assert.equal(details.details[0]?.typeUrl, "x/y");
  assert.deepEqual(readStatus({ "grpc-status": "nonsense" }), { code: 2, message: "" });
  assert.equal(readStatus({}), undefined);
});

test("timeouts have units", () => {
  const read = (text: string) => readTimeout({ "grpc-timeout": text });
  assert.equal(read("15S"), 15_000);
  assert.equal(read("250m"), 250);
  assert.equal(read("1H"), 3_600_000);
  assert.equal(read("1n"), 1);
  assert.equal(read("2M"), 120_000);
  assert.equal(read("123456789S"), undefined);
  assert.equal(read("-1S"), undefined);
});
