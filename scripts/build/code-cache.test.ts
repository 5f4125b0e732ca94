import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Script } from "node:vm";

const build = process.env["BOXSHIP_TEST_BUILD"] ?? "";

for (const part of ["cli", "cluster", "helm", "skopeo"]) {
  test(`V8 takes the code cache of ${part}`, { skip: build === "" && "a run of all tests makes the build" }, () => {
    const text = readFileSync(join(build, `${part}.cjs`), "utf8");
    const wrapped = `(function (exports, require, module, __filename, __dirname) {${text}\n})`;
    const script = new Script(wrapped, { cachedData: readFileSync(join(build, `${part}.cache`)) });
    assert.equal(script.cachedDataRejected, false);
  });
}
