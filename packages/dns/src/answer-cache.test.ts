import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import { type AnswerRecord, encodeAnswer, parseQuestion, type Question, ResponseCode } from "@boxship/network";
import { AnswerCache } from "./answer-cache.ts";

function questionFor(name: string): Question {
  const header = Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const label = Buffer.concat([Buffer.of(name.length), Buffer.from(name), Buffer.from([0, 0, 1, 0, 1])]);
  return parseQuestion(Buffer.concat([header, label])) ?? assert.fail();
}

test("what is kept is bounded by its bytes, and what was put last stays", () => {
  const mostBytes = 100_000;
  const cache = new AnswerCache({ clock: new FakeClock(), mostBytes });
  const records = Array.from({ length: 300 }, (): AnswerRecord => {
    return { type: "address", address: "192.0.2.1", ttl: 20 };
  });
  const sizes = Array.from({ length: 100 }, (_, at) => {
    const question = questionFor(`name${at}`);
    const answer = encodeAnswer(question, { code: ResponseCode.NoError, records });
    cache.put(question, answer);
    // Again: it counts once.
    cache.put(question, answer);
    return answer.length;
  });
  const kept = sizes.map((_, at) => cache.get(questionFor(`name${at}`))?.length ?? 0);
  const bytes = kept.reduce((sum, size) => sum + size, 0);
  assert.ok(bytes > mostBytes / 2 && bytes <= mostBytes, `${bytes} bytes`);
  assert.deepEqual(
    kept.findLastIndex((size) => size === 0),
    99 - kept.filter((size) => size > 0).length,
  );
});
