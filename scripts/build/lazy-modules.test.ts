import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { lazyModules } from "./lazy-modules.ts";

const root = resolve(import.meta.dirname, "../..");

const program = `import https, { Agent } from "node:https";
import { gunzipSync, gzipSync } from "node:zlib";
import { load } from "js-yaml";
import { pino, stdTimeFunctions } from "pino";
const loaded = (name) => process.moduleLoadList.includes("NativeModule " + name);
const before = [loaded("https"), loaded("zlib")];
const zipped = gunzipSync(gzipSync("content")).toString();
const yaml = load("a: [1, 2]");
const lines = [];
pino({ base: null, timestamp: stdTimeFunctions.isoTime }, { write: (line) => lines.push(line) }).info("hello");
class Own extends https.Agent {}
process.stdout.write(JSON.stringify({ before, zipped, yaml, msg: JSON.parse(lines[0]).msg, own: new Own() instanceof Agent, after: loaded("https") }));`;

test("modules are loaded when something of them is used, and are whole then", async () => {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: `${root}/packages/base/src` },
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    nodePaths: [`${root}/node_modules`],
    plugins: [lazyModules(root)],
  });
  const text = execFileSync(process.execPath, ["-"], { input: outputFiles[0]?.text ?? "", encoding: "utf8" });
  const expected = { zipped: "content", yaml: { a: [1, 2] }, msg: "hello", own: true, after: true };
  assert.deepEqual(JSON.parse(text), { before: [false, false], ...expected });
});
