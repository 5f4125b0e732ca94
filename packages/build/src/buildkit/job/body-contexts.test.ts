import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyContexts } from "./body-contexts.ts";

async function* pieces(): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  yield Buffer.from("one ");
  yield Buffer.from("two");
}

async function text(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test("an archive reaches its build, whichever comes first", async () => {
  const contexts = new BodyContexts();
  const offered = contexts.offer("a", pieces());
  assert.equal(await text(contexts.take("a")), "one two");
  await offered;
  const taken = text(contexts.take("b"));
  await contexts.offer("b", pieces());
  assert.equal(await taken, "one two");
});
