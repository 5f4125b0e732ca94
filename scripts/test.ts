/**
 * Runs Node's test runner over the tests of all packages, or over the files and folders that are named, and fails when
 * they leave something behind: a mount, a network device, a table, a control group, a process, a temporary directory.
 */
import { spawn } from "node:child_process";
import { existsSync, globSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { findLeaks, takeInventory } from "@boxship/testkit";

/** One test may not hang the run; those that need longer say so themselves. */
const testTimeout = 2 * 60_000;
/** Nor may the run. */
const runTimeout = 25 * 60_000;

function testFiles(named: readonly string[]): string[] {
  const patterns = named.length > 0 ? named : ["packages", "scripts", "bench"];
  const files = patterns.flatMap((pattern) => {
    if (!existsSync(pattern)) return globSync(pattern);
    return statSync(pattern).isDirectory() ? globSync(`${pattern}/**/*.test.ts`) : [pattern];
  });
  return files.filter((file) => !file.includes("node_modules")).sort();
}

function runTests(files: readonly string[], options: readonly string[]): Promise<number> {
  const args = [
    "--disable-warning=ExperimentalWarning",
    "--test",
    "--test-reporter=spec",
    `--test-timeout=${testTimeout}`,
    `--test-concurrency=${Math.max(2, availableParallelism())}`,
    ...options,
    ...files,
  ];
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, args, { stdio: "inherit" });
    const timer = setTimeout(() => {
      process.stderr.write(`tests: not finished after ${runTimeout / 60_000} minutes, stopped\n`);
      child.kill("SIGINT");
    }, runTimeout);
    child.on("error", fail);
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      done(signal === null ? (code ?? 1) : 1);
    });
  });
}

process.chdir(resolve(import.meta.dirname, ".."));
const options = process.argv.slice(2).filter((arg) => arg.startsWith("-"));
const files = testFiles(process.argv.slice(2).filter((arg) => !arg.startsWith("-")));
if (files.length === 0) throw new Error("no test files there");

const start = performance.now();
const before = await takeInventory();
const status = await runTests(files, options);
const leaks = await findLeaks(before);
const seconds = Math.round((performance.now() - start) / 1000);
for (const leak of leaks) process.stdout.write(`left behind: ${leak}\n`);
process.stdout.write(`${files.length} test files, ${seconds} s, ${leaks.length} things left behind\n`);
process.exitCode = status !== 0 ? status : leaks.length > 0 ? 1 : 0;
