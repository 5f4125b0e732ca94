import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { nodeFlags } from "@boxship/base/entry";
import { type BuildOptions, build } from "esbuild";
import { writeCodeCaches } from "./code-cache.ts";
import { descriptionsPart, kubernetesDescriptions } from "./descriptions.ts";
import { lateParts, latePartsPlugin } from "./late-parts.ts";
import { bundleLauncher } from "./launcher.ts";
import { lazyModules } from "./lazy-modules.ts";
import { findWorkers } from "./workers.ts";

/** Parts of the program by name, as source text. `boxship` starts the command line, the daemon or a cluster. */
export type Parts = ReadonlyMap<string, string>;

const mains = {
  cli: "packages/cli/src/main.ts",
  cluster: "packages/daemon/src/cluster/main.ts",
  daemon: "packages/daemon/src/main.ts",
  helm: "packages/cli/src/helm/main.ts",
  skopeo: "packages/cli/src/skopeo/main.ts",
};

/** Parts that people wait for: what they do not need is not loaded. */
const hurried: ReadonlySet<string> = new Set(["cli", "helm", "skopeo"]);

/** First lines of every part: where the other parts are. An executable sets this itself, before any part runs. */
const prologue = `"use strict";
globalThis[Symbol.for("boxship.bundle")] ??= { file: (part) => __dirname + "/" + part + ".cjs" };
const boxshipPartUrl = require("node:url").pathToFileURL(__filename).href;`;

/** First lines of a worker's part in an executable: it is evaluated from text, and starts workers in the same way. */
const workerPrologue = `"use strict";
if (require("node:sea").isSea()) globalThis[Symbol.for("boxship.bundle")] = { source: (part) => require("node:sea").getAsset(part, "utf8") };`;

function options(root: string): BuildOptions {
  return {
    absWorkingDir: root,
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    target: "node26",
    // Identifiers stay: the names of error classes are part of what a user reads.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    // Programs that are evaluated from text or with a code cache may not import; of Node's own modules esbuild leaves it.
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "boxshipPartUrl", "import.meta.main": "true" },
    logLevel: "silent",
  };
}

async function bundleOne(root: string, name: string, entry: BuildOptions, isWorker: boolean): Promise<string> {
  const banner = { js: isWorker ? `${workerPrologue}\n${prologue}` : prologue };
  const plugins = hurried.has(name) ? [latePartsPlugin, lazyModules(root)] : [latePartsPlugin];
  const result = await build({ ...options(root), ...entry, plugins, banner });
  const text = result.outputFiles?.[0]?.text;
  if (text === undefined) throw new Error(`esbuild made nothing of '${name}'`);
  // V8 keeps the text for as long as the program runs, in two bytes a character if one of them is beyond Latin-1, and
  // reads UTF-8 five times as fast when all of it is ASCII. esbuild escapes what is in strings.
  const beyond = /.{0,20}[^\0-\x7f].{0,20}/.exec(text);
  if (beyond !== null) throw new Error(`'${name}' is not ASCII at ${beyond[0]}: write a regular expression with \\u`);
  return text;
}

/** Bundles the command line, the daemon and every worker. @throws esbuild's BuildFailure, or Error from the workers */
export async function bundleParts(root: string): Promise<Parts> {
  const entries: [string, BuildOptions, boolean][] = [];
  for (const [name, file] of Object.entries(mains)) {
    if (existsSync(join(root, file))) entries.push([name, { entryPoints: [file] }, false]);
  }
  for (const [name, file] of findWorkers(root)) entries.push([name, { entryPoints: [file] }, true]);
  for (const [name, entry] of lateParts(root)) entries.push([name, entry, false]);
  const texts = entries.map(
    async ([name, entry, isWorker]) => [name, await bundleOne(root, name, entry, isWorker)] as const,
  );
  const words = existsSync(join(root, mains.cluster)) ? kubernetesDescriptions(root) : undefined;
  return new Map([
    ["boxship", bundleLauncher],
    ...(await Promise.all(texts)),
    ...(words === undefined ? [] : [[descriptionsPart, words] as const]),
  ]);
}

/** Builds that stay on disk although nothing runs from them. */
const kept = 4;

/**
 * Writes the parts into `dist/build-<hash>/` and points `dist/current` there. Atomic: a reader sees the old build or
 * the new one, whole, and a daemon that runs from an old build keeps its files.
 */
export function writeBundle(root: string, parts: Parts): string {
  const hash = createHash("sha256");
  for (const [name, text] of parts) hash.update(`${name}\0${text}\0`);
  const name = `build-${hash.digest("hex").slice(0, 16)}`;
  const dist = join(root, "dist");
  const [target, fresh] = [join(dist, name), join(dist, `new-${process.pid}`)];
  mkdirSync(fresh, { recursive: true });
  for (const [part, text] of parts) writeFileSync(join(fresh, `${part}.cjs`), text);
  writeCodeCaches(fresh, nodeFlags);
  try {
    renameSync(fresh, target);
  } catch {
    rmSync(fresh, { recursive: true }); // the same build is there
  }
  const link = join(dist, `link-${process.pid}`);
  symlinkSync(name, link);
  renameSync(link, join(dist, "current"));
  pruneBuilds(dist, name);
  return target;
}

/** Command lines of everything that runs, as one text. */
function commandLines(): string {
  const read = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8");
    } catch {
      return ""; // it has ended
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(read)
    .join("\n");
}

/** A running daemon loads its workers late, from the build that its command line names. */
function pruneBuilds(dist: string, current: string): void {
  const running = commandLines();
  const builds = readdirSync(dist).filter((name) => name.startsWith("build-") && name !== current);
  const byAge = builds.map((name) => ({ name, age: statSync(join(dist, name)).mtimeMs })).sort((a, b) => b.age - a.age);
  for (const { name } of byAge.slice(kept - 1)) {
    if (!running.includes(name)) rmSync(join(dist, name), { recursive: true, force: true });
  }
}
