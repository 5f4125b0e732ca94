import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runPart } from "./launcher.ts";

/** Name of the command line's code cache, beside its part. */
export const codeCacheName = "cli.cache";

/** Runs the command line once and keeps what V8 compiled for it. */
const recorder = `"use strict";
const { readFileSync, writeFileSync } = require("node:fs");
const [directory, file, cache] = process.argv.splice(1, 3);
globalThis[Symbol.for("boxship.bundle")] = { file: (part) => directory + "/" + part + ".cjs" };
process.argv.splice(1, 0, file);
let script;
process.on("exit", () => { if (script !== undefined) writeFileSync(cache, script.createCachedData()); });
script = runPart(file, readFileSync(file, "utf8"));
${runPart}`;

/**
 * Writes V8's code cache of the command line beside its part, for a Node of this version with these flags: reading
 * 1.5 MB of JavaScript is two thirds of a start. V8 refuses a cache that is not for it, and then it costs what it did.
 *
 * @param directory the directory of the parts' files
 * @returns the cache's file, or undefined where there is no command line
 */
export function writeCodeCache(directory: string, flags: readonly string[]): string | undefined {
  const [part, cache] = [join(directory, "cli.cjs"), join(directory, codeCacheName)];
  if (!existsSync(part)) return undefined;
  const args = [...flags, "-e", recorder, "--", directory, part, cache, "--version"];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`no code cache of the command line could be made: ${stderr}`);
  return cache;
}
