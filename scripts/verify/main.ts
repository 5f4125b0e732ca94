import { join, resolve } from "node:path";
import { styleText } from "node:util";
import { bundle } from "./bundle.ts";
import { docs } from "./docs.ts";
import { generated, lengths, machine } from "./files.ts";
import type { Check } from "./finding.ts";
import { floorsCheck } from "./floors.ts";
import { dependencies, licencesCheck, lockFile } from "./packages.ts";
import { format, lint, types } from "./tools.ts";

const checks: readonly Check[] = [
  types,
  lint,
  format,
  bundle,
  floorsCheck,
  lengths,
  generated,
  lockFile,
  licencesCheck,
  dependencies,
  machine,
  docs,
];

async function report(check: Check, root: string): Promise<boolean> {
  const start = performance.now();
  const findings = await check.run(root);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const verdict = findings.length === 0 ? styleText("green", "ok  ") : styleText("red", "FAIL");
  process.stdout.write(`${verdict} ${check.name} (${seconds} s)\n`);
  for (const { where, what } of findings) process.stdout.write(`     ${where}: ${what}\n`);
  return findings.length === 0;
}

const wanted = process.argv.slice(2);
if (wanted.includes("--list")) {
  process.stdout.write(`${checks.map(({ name }) => name).join("\n")}\n`);
} else {
  const unknown = wanted.filter((name) => !checks.some((check) => check.name === name));
  if (unknown.length > 0) throw new Error(`no such check: ${unknown.join(", ")}; --list names them`);
  const chosen = checks.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  const root = resolve(import.meta.dirname, "../..");
  // Many checks start Node with the same modules.
  process.env["NODE_COMPILE_CACHE"] ??= join(root, ".cache/compile");
  const held = await Promise.all(chosen.map((check) => report(check, root)));
  process.exitCode = held.every(Boolean) ? 0 : 1;
}
