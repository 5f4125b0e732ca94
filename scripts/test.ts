/**
 * Runs Node's test runner over the tests of all packages, or over the files and folders that are named, and fails when
 * they leave something behind: a mount, a network device, a table, a control group, a process, a temporary directory.
 *
 * These tests share one machine and real time. A few files that fail are run once more, alone, and named: what fails then
 * has failed.
 */
import { spawn } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { findLeaks, takeInventory } from "@boxship/testkit";

/** One test may not hang the run; those that need longer say so themselves. */
const testTimeout = 2 * 60_000;
/** More files than these do not fail by chance. */
const mostAgain = 4;
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

interface TestRun {
  readonly status: number;
  /** Files in which something failed. */
  readonly failed: readonly string[];
}

async function runTests(files: readonly string[], options: readonly string[], concurrency: number): Promise<TestRun> {
  const directory = mkdtempSync(join(tmpdir(), "test-run-"));
  try {
    const list = join(directory, "failed");
    const reporters = ["--test-reporter=spec", "--test-reporter-destination=stdout"];
    reporters.push(`--test-reporter=${join(import.meta.dirname, "failed-files.ts")}`);
    reporters.push(`--test-reporter-destination=${list}`);
    const status = await runNode(files, [...options, ...reporters, `--test-concurrency=${concurrency}`]);
    const failed = existsSync(list)
      ? readFileSync(list, "utf8")
          .split("\n")
          .filter((file) => file !== "")
      : [];
    return { status, failed };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function runNode(files: readonly string[], options: readonly string[]): Promise<number> {
  const args = [
    "--disable-warning=ExperimentalWarning",
    "--test",
    `--test-timeout=${testTimeout}`,
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
/** An attempt that failed may have left something behind, which is told and does not count. */
let excused = false;
let { status, failed } = await runTests(files, options, Math.max(2, availableParallelism()));
if (status !== 0 && failed.length > 0 && failed.length <= mostAgain) {
  process.stdout.write(`\nonce more, alone, what failed beside others:\n${failed.join("\n")}\n\n`);
  const first = failed;
  ({ status, failed } = await runTests(first, options, 1));
  const passed = first.filter((file) => !failed.includes(file));
  excused = passed.length > 0;
  for (const file of passed) process.stdout.write(`failed beside others, and passed alone: ${file}\n`);
}
const leaks = await findLeaks(before);
const seconds = Math.round((performance.now() - start) / 1000);
for (const leak of leaks) process.stdout.write(`left behind: ${leak}\n`);
process.stdout.write(`${files.length} test files, ${seconds} s, ${leaks.length} things left behind\n`);
process.exitCode = status !== 0 ? status : leaks.length > 0 && !excused ? 1 : 0;
