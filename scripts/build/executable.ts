import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { daemonFlags } from "@boxship/base/entry";
import type { Parts } from "./bundle.ts";

/**
 * The executable's own main: it hands out parts from its assets. Parts are compiled from text when they are needed,
 * under their own names, so that stack traces name them.
 */
const main = `"use strict";
const { getAsset } = require("node:sea");
globalThis[Symbol.for("boxship.bundle")] = { source: (part) => getAsset(part, "utf8") };
const part = { "cluster-process": "cluster", "daemon-process": "daemon" }[process.argv[2]] ?? "boxship";
const names = ["exports", "require", "module", "__filename", "__dirname"];
const module_ = { exports: {} };
require("node:vm").compileFunction(getAsset(part, "utf8"), names, { filename: part + ".cjs" })(
  module_.exports, require, module_, __filename, __dirname);
`;

/** Makes `dist/boxship`: Node, the parts, and the flags that Node runs with. */
export async function buildExecutable(root: string, parts: Parts): Promise<void> {
  const dist = join(root, "dist");
  mkdirSync(dist, { recursive: true });
  const work = mkdtempSync(join(dist, "executable-"));
  try {
    const assets: Record<string, string> = {};
    for (const [part, text] of parts) writeFileSync((assets[part] = join(work, `${part}.cjs`)), text);
    writeFileSync(join(work, "main.cjs"), main);
    const config = {
      main: join(work, "main.cjs"),
      output: join(work, "boxship"),
      disableExperimentalSEAWarning: true,
      useCodeCache: false,
      execArgv: daemonFlags,
      execArgvExtension: "none",
      assets,
    };
    writeFileSync(join(work, "sea.json"), JSON.stringify(config));
    execFileSync(process.execPath, ["--build-sea", join(work, "sea.json")], { stdio: ["ignore", "ignore", "inherit"] });
    renameSync(join(work, "boxship"), join(dist, "boxship"));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const megabytes = Math.round(statSync(join(dist, "boxship")).size / 1e6);
  process.stdout.write(`dist/boxship (${megabytes} MB, ${[...parts.keys()].join(", ")})\n`);
}
