/**
 * The program's first lines, in both of its forms: they find the parts and run one of them. The daemon, a cluster, helm's
 * and skopeo's words are other programs than the command line, so that none pays for another's code.
 */

/** Text of a function that runs a part's text, with what V8 had compiled of it before, if that is there. */
export const runPart = `function runPart(file, text, cachedData) {
  const { Script } = require("node:vm");
  const { dirname } = require("node:path");
  // One line, so that the lines of stack traces are the part's own.
  const wrapped = "(function (exports, require, module, __filename, __dirname) {" + text + "\\n})";
  const script = new Script(wrapped, { filename: file, cachedData });
  const part = { exports: {} };
  script.runInThisContext()(part.exports, require, part, file, dirname(file));
  return script;
}`;

const choosePart = `({ "cluster-process": "cluster", "daemon-process": "daemon", helm: "helm", skopeo: "skopeo" })[process.argv[2]] ?? "cli"`;

/** `boxship.cjs`, beside the files of the parts. The code caches of those that people start are beside them, or there is none. */
export const bundleLauncher = `"use strict";
const file = (part) => __dirname + "/" + part + ".cjs";
globalThis[Symbol.for("boxship.bundle")] = { file };
const part = ${choosePart};
const { existsSync, readFileSync } = require("node:fs");
const cache = __dirname + "/" + part + ".cache";
if (existsSync(cache)) runPart(file(part), readFileSync(file(part), "utf8"), readFileSync(cache));
else require(file(part));
${runPart}
`;

/**
 * The executable's main: it hands out parts from its assets, under their own names, so that stack traces name them. The
 * daemon's flag of V8, with which every part of an executable is started, is taken back for the others: V8 refuses the code
 * caches of Node's own modules, and ours, with any flag that they were not made with. Called by the name of a tool with a part
 * of its own it is that part; names of other tools are the command line's business.
 */
export const executableLauncher = `"use strict";
const { getAsset, getAssetKeys, getRawAsset } = require("node:sea");
globalThis[Symbol.for("boxship.bundle")] = { source: (part) => getAsset(part, "utf8") };
const called = require("node:path").basename(process.argv0);
if (called === "helm" || called === "skopeo") process.argv.splice(2, 0, called);
const part = ${choosePart};
if (part !== "daemon") require("node:v8").setFlagsFromString("--memory-pool-share-memory-on-teardown");
const cache = part + ".cache";
const cached = getAssetKeys().includes(cache) ? Buffer.from(getRawAsset(cache)) : undefined;
runPart(part + ".cjs", getAsset(part, "utf8"), cached);
${runPart}
`;
