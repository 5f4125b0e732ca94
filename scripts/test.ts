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
import { join, relative, resolve } from "node:path";
import { findLeaks, takeInventory } from "@boxship/testkit";
import { bundleParts, writeBundle } from "./build/bundle.ts";
import type { FileResult } from "./file-results.ts";

/** One test may not hang the run; those that need longer say so themselves. */
const testTimeout = 2 * 60_000;
/** More files than these do not fail by chance. */
const mostAgain = 4;
/** How many of the longest files are named at the end. */
const slowestTold = 10;
/** What Node compiled and what it made of TypeScript, for all processes of this run and the next ones. */
const compileCache = resolve(import.meta.dirname, "../.cache/compile");
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

/** Tests that start whole engines: they take long, and go first, so that the short ones fill both cores to the end. */
const startsEngines = /\bstart(?:Boxship|Dockerd|EngineUnderTest|RootlessBoxship)\(/;

function longestFirst(files: readonly string[]): readonly string[] {
  const long = new Set(files.filter((file) => startsEngines.test(readFileSync(file, "utf8"))));
  return [...long, ...files.filter((file) => !long.has(file))];
}

interface TestRun {
  readonly status: number;
  /** Files in which something failed. */
  readonly failed: readonly string[];
  /** How long each file took, the longest first. */
  readonly seconds: readonly (readonly [file: string, seconds: number])[];
}

function readResults(path: string): Omit<TestRun, "status"> {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  const results = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as FileResult);
  const failed = new Set(results.filter((result) => "failed" in result).map(({ file }) => file));
  const seconds = results
    .filter((result) => "seconds" in result)
    .map((result) => [result.file, result.seconds] as const);
  return { failed: [...failed], seconds: seconds.sort((a, b) => b[1] - a[1]) };
}

async function runTests(files: readonly string[], options: readonly string[], concurrency: number): Promise<TestRun> {
  const directory = mkdtempSync(join(tmpdir(), "test-run-"));
  try {
    const results = join(directory, "results");
    const reporters = ["--test-reporter=spec", "--test-reporter-destination=stdout"];
    reporters.push(`--test-reporter=${join(import.meta.dirname, "file-results.ts")}`);
    reporters.push(`--test-reporter-destination=${results}`);
    const status = await runNode(files, [...options, ...reporters, `--test-concurrency=${concurrency}`]);
    return { status, ...readResults(results) };
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
const files = longestFirst(testFiles(process.argv.slice(2).filter((arg) => !arg.startsWith("-"))));
if (files.length === 0) throw new Error("no test files there");

const start = performance.now();
// The engines and command lines that tests start are what users run, the bundle; see the test kit's program.ts.
process.env["BOXSHIP_TEST_BUILD"] = writeBundle(process.cwd(), await bundleParts(process.cwd()));
process.env["NODE_COMPILE_CACHE"] = compileCache;
const before = await takeInventory();
/** An attempt that failed may have left something behind, which is told and does not count. */
let excused = false;
let { status, failed, seconds: each } = await runTests(files, options, Math.max(2, availableParallelism()));
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
const slowest = each.slice(0, slowestTold).map(([file, took]) => `${relative(".", file)} ${took.toFixed(1)} s`);
process.stdout.write(`the longest files: ${slowest.join(", ")}\n`);
for (const leak of leaks) process.stdout.write(`left behind: ${leak}\n`);
process.stdout.write(`${files.length} test files, ${seconds} s, ${leaks.length} things left behind\n`);
process.exitCode = status !== 0 ? status : leaks.length > 0 && !excused ? 1 : 0;
