import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cleanPath, filterMetadata } from "./session-files.ts";

test("paths are clean and stay below their root", () => {
  assert.equal(cleanPath("./a//b/../c/"), "a/c");
  assert.equal(cleanPath("../../etc/passwd"), "etc/passwd");
  assert.equal(cleanPath("/"), "");
  fc.assert(
    fc.property(fc.array(fc.constantFrom("..", ".", "", "a", "b c")), (parts) => {
      const clean = cleanPath(parts.join("/"));
      assert.ok(!clean.split("/").includes(".."));
      assert.equal(cleanPath(clean), clean);
    }),
  );
});

test("patterns are plain headers, or escaped as Go reads them", () => {
  assert.deepEqual(filterMetadata({ name: "context", exclude: ["*.o", "!a"], follow: [] }), {
    "dir-name": ["context"],
    "exclude-patterns": ["*.o", "!a"],
  });
  assert.deepEqual(filterMetadata({ name: "context", follow: ["ä b+c", "(d)"] }), {
    "dir-name": ["context"],
    followpaths: ["%C3%A4+b%2Bc", "%28d%29"],
    "followpaths-encoded": ["1"],
  });
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (pattern) => {
      const metadata = filterMetadata({ name: "context", exclude: [pattern] });
      const [sent = ""] = metadata["exclude-patterns"] ?? [];
      assert.match(sent, /^[\x20-\x7e]*$/);
      if (metadata["exclude-patterns-encoded"] === undefined) assert.equal(sent, pattern);
      else assert.equal(decodeURIComponent(sent.replaceAll("+", " ")), pattern.toWellFormed());
    }),
  );
});
