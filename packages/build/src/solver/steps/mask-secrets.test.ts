import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SecretMask } from "./mask-secrets.ts";

function masked(secrets: readonly string[], pieces: readonly string[]): string {
  const mask = new SecretMask(secrets.map((secret) => Buffer.from(secret)));
  return Buffer.concat([...pieces.map((piece) => mask.push(Buffer.from(piece))), mask.end()]).toString();
}

test("secrets are taken out of output, whole or by their lines; short ones are not looked for", () => {
  assert.equal(masked(["hunter22hunter"], ["pass hunter22hunter\n"]), "pass ***\n");
  assert.equal(masked(["hunter22hunter\n"], ["pass hun", "ter22hun", "ter!"]), "pass ***!");
  assert.equal(masked(["hunter22hunter"], ["pass hunter22hunt"]), "pass hunter22hunt");
  assert.equal(masked(["first line\nsecond line"], ["x second line y"]), "x *** y");
  assert.equal(masked(["first line\nsecond line"], ["first line\nsecond line"]), "***");
  assert.equal(masked(["short"], ["short"]), "short");
  assert.equal(masked([], ["any", "thing"]), "anything");
});

test("however output is cut, no secret is left and nothing else is lost", () => {
  const secret = "abababab-cdcdcdcd";
  fc.assert(
    fc.property(fc.array(fc.constantFrom("a", "b", "ab", "abababab", "-cdcd", "cdcd", secret, "x\n")), (pieces) => {
      const whole = pieces.join("");
      assert.equal(masked([secret], pieces), whole.replaceAll(secret, "***"));
    }),
  );
});
