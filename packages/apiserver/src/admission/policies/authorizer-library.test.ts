import assert from "node:assert/strict";
import { test } from "node:test";
import { AUTHORIZER_SIGNATURES } from "@boxship/api";
import { AUTHORIZER_LIBRARY } from "./authorizer-library.ts";

test("every function that expressions may call is there", () => {
  assert.deepEqual(Object.keys(AUTHORIZER_LIBRARY).toSorted(), Object.values(AUTHORIZER_SIGNATURES).toSorted());
});
