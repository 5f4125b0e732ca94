import assert from "node:assert/strict";
import { test } from "node:test";
import { compilePattern } from "./pattern.ts";

test("plain text is found anywhere, and so are Go's regular expressions", async () => {
  const found = async (pattern: string, text: string) => (await compilePattern(pattern))(text);
  assert.deepEqual(
    await Promise.all([
      found("eb", "web"),
      found("^eb", "web"),
      found("(?i)WEB$", "my-web"),
      found("[[:alpha:]]{3}", "web"),
      found("^[0-9a-f]{12}$", "0123456789ab"),
      found("w.b", "wxxb"),
    ]),
    [true, false, true, true, true, false],
  );
  await assert.rejects(compilePattern("("), { message: 'invalid regular expression "(" in a filter' });
});

test("what would keep the engine busy is refused, and the rest is quick", async () => {
  for (const pattern of ["(a?){1000}", "((a?){40}){40}", "a?".repeat(1500), "[a-f]{1,999}{2}"]) {
    await assert.rejects(compilePattern(pattern), { message: "a regular expression in a filter is too large" });
  }
  // For ever where matching backtracks.
  assert.equal((await compilePattern("^(a+)+b$"))("a".repeat(5000)), false);
});
