/**
 * Bundles the program; `--bundle` stops there, without it the parts become one executable, `dist/boxship`.
 */
import { resolve } from "node:path";
import { bundleParts, writeBundle } from "./build/bundle.ts";
import { buildExecutable } from "./build/executable.ts";

const root = resolve(import.meta.dirname, "..");
try {
  const parts = await bundleParts(root);
  if (process.argv.includes("--bundle")) writeBundle(root, parts);
  else await buildExecutable(root, parts);
} catch (error) {
  process.stderr.write(`build: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
