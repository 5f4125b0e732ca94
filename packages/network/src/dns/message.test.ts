import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  answers,
  encodeAnswer,
  encodeFailure,
  encodeName,
  isTruncated,
  parseQuestion,
  RecordType,
  ResponseCode,
  reverseAddress,
} from "./message.ts";

const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/);
const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));

/** A query, with or without an OPT record that says how much the client takes. */
function query(text: string, type: number, udpSize?: number): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0x1234, 0);
  head.writeUInt16BE(0x0100, 2);
  head.writeUInt16BE(1, 4);
  const tail = Buffer.from([type >> 8, type & 255, 0, 1]);
  if (udpSize === undefined) return Buffer.concat([head, encodeName(text), tail]);
  head.writeUInt16BE(1, 10);
  const opt = Buffer.from([0, 0, RecordType.OPT, udpSize >> 8, udpSize & 255, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, encodeName(text), tail, opt]);
}

describe("DNS messages", () => {
  it("questions are read as they were asked", () => {
    fc.assert(
      fc.property(name, fc.nat(0xffff), fc.option(fc.nat(0xffff), { nil: undefined }), (text, type, size) => {
        const question = parseQuestion(query(text.toUpperCase(), type, size));
        assert.equal(question?.name, text);
        assert.equal(question?.type, type);
        assert.equal(question?.id, 0x1234);
        assert.equal(question?.edns, size !== undefined);
        assert.equal(question?.udpSize, Math.max(512, size ?? 0));
      }),
    );
  });

  it("noise is no question, and nothing is thrown", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => {
        const message = Buffer.from(noise);
        const question = parseQuestion(message);
        if (question !== undefined) encodeAnswer(question, { code: ResponseCode.NameError, records: [] });
        encodeFailure(message, ResponseCode.FormatError);
      }),
    );
    const response = query("a", RecordType.A);
    response.writeUInt16BE(0x8100, 2);
    assert.equal(parseQuestion(response), undefined);
    assert.equal(encodeFailure(response, 1), undefined);
    const looping = Buffer.concat([query("a", RecordType.A).subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]);
    assert.equal(parseQuestion(looping), undefined);
  });

  it("answers repeat the question as it was written, and are cut for who takes less", () => {
    const question = parseQuestion(query("WeB", RecordType.A));
    assert.ok(question);
    const records = Array.from({ length: 40 }, (_, index) => {
      return { type: "address", address: `10.0.0.${index}`, ttl: 600 } as const;
    });
    const whole = encodeAnswer(question, { code: ResponseCode.NoError, records });
    assert.equal(whole.toString("latin1", 13, 16), "WeB");
    assert.equal(whole.readUInt16BE(6), 40);
    assert.equal(whole.length, question.end + 40 * 16);
    assert.equal(isTruncated(whole), false);
    assert.ok(answers(whole, question.message, question.end));
    const cut = encodeAnswer(question, { code: ResponseCode.NoError, records }, 512);
    assert.equal(isTruncated(cut), true);
    assert.equal(cut.length, question.end);
    assert.equal(isTruncated(encodeAnswer(question, { code: ResponseCode.NoError, records }, 1232)), false);
  });

  it("an answer belongs to a query by id and question", () => {
    const question = parseQuestion(query("web", RecordType.A));
    const other = parseQuestion(query("wex", RecordType.A));
    assert.ok(question && other);
    const answer = encodeAnswer(other, { code: ResponseCode.NoError, records: [] });
    assert.equal(answers(answer, question.message, question.end), false);
    assert.equal(answers(question.message, question.message, question.end), false);
    const upper = parseQuestion(query("WEB", RecordType.A));
    assert.ok(upper);
    assert.ok(answers(encodeAnswer(upper, { code: 0, records: [] }), question.message, question.end));
  });

  it("reverse names stand for addresses", () => {
    assert.equal(reverseAddress("2.0.17.172.in-addr.arpa"), "172.17.0.2");
    const zeros = "0.".repeat(24);
    assert.equal(reverseAddress(`2.0.0.0.${zeros}0.0.d.f.ip6.arpa`), "fd00:0000:0000:0000:0000:0000:0000:0002");
    assert.equal(reverseAddress("web"), undefined);
    assert.equal(reverseAddress("1.2.in-addr.arpa"), undefined);
  });
});
