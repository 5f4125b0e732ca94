import assert from "node:assert/strict";
import { test } from "node:test";
import { errorMessage, NotFound } from "./errors.ts";

test("an error on the way out hides nothing of the one that led there", () => {
  const work = (): void => {
    using _resource = {
      [Symbol.dispose]: () => {
        throw new Error("the directory is gone");
      },
    };
    throw new NotFound("no such layer");
  };
  assert.throws(work, (error) => {
    assert.equal(errorMessage(error), "no such layer; then, while clearing up: the directory is gone");
    return true;
  });
});
