/**
 * Runs Node's test runner over the tests of all packages, or over the files and folders that are named, and fails when
 * they leave something behind: a mount, a network device, a table, a control group, a process, a temporary directory.
 *
 * These tests share one machine and real time. A few files that fail are run once more, alone, and named: what fails then
 * has failed.
 */
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { relative, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { parseArgs } from "node:util";
import { findLeaks, takeInventory } from "@boxship/testkit";
import { bundleParts, writeBundle } from "./build/bundle.ts";

/** One test may not hang the run; those that need longer say so themselves. */
const testTimeout = 2 * 60_000;
/** More files than these do not fail by chance. */
const mostAgain = 4;
/** Many tests wait for a container or a clock, and leave their core to others meanwhile. */
const filesPerCore = 1.5;
/** How many of the longest files are named at the end. */
const slowestTold = 40;
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
  readonly succeeded: boolean;
  /** Files in which something failed. */
  readonly failed: readonly string[];
  /** How long each file took, the longest first. */
  readonly seconds: readonly (readonly [file: string, seconds: number])[];
}

/** Runs the files in this order, as many at a time; `node --test` would sort them. */
async function runTests(files: readonly string[], concurrency: number): Promise<TestRun> {
  const stop = new AbortController();
  const timer = setTimeout(() => {
    process.stderr.write(`tests: not finished after ${runTimeout / 60_000} minutes, stopped\n`);
    stop.abort();
  }, runTimeout);
  const wanted = new Set(files.map((file) => resolve(file)));
  const failed = new Set<string>();
  const seconds: (readonly [string, number])[] = [];
  let succeeded = false;
  const events = run({
    files: [...wanted],
    concurrency,
    timeout: testTimeout,
    execArgv: ["--disable-warning=ExperimentalWarning"],
    signal: stop.signal,
    ...(namePatterns.length === 0 ? {} : { testNamePatterns: [...namePatterns] }),
  });
  // A failure names the file where its test is written down, which may be a suite that several run.
  events.on("test:fail", ({ file }) => void (file !== undefined && wanted.has(file) && failed.add(file)));
  events.on("test:summary", ({ file, duration_ms, success }) => {
    if (file === undefined) succeeded = success;
    else seconds.push([file, duration_ms / 1000]);
    if (file !== undefined && !success) failed.add(file);
  });
  try {
    await pipeline(events, new spec(), process.stdout, { end: false });
  } finally {
    clearTimeout(timer);
  }
  return { succeeded, failed: [...failed], seconds: seconds.sort((one, other) => other[1] - one[1]) };
}

process.chdir(resolve(import.meta.dirname, ".."));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "test-name-pattern": { type: "string", multiple: true, default: [] } },
});
const namePatterns = values["test-name-pattern"];
const files = longestFirst(testFiles(positionals));
if (files.length === 0) throw new Error("no test files there");

const start = performance.now();
// The engines and command lines that tests start are what users run, the bundle; see the test kit's program.ts.
process.env["BOXSHIP_TEST_BUILD"] = writeBundle(process.cwd(), await bundleParts(process.cwd()));
process.env["NODE_COMPILE_CACHE"] = compileCache;
const before = await takeInventory();
/** An attempt that failed may have left something behind, which is told and does not count. */
let excused = false;
const first = await runTests(files, Math.max(2, Math.ceil(availableParallelism() * filesPerCore)));
let { succeeded } = first;
if (!succeeded && first.failed.length > 0 && first.failed.length <= mostAgain) {
  process.stdout.write(`\nonce more, alone, what failed beside others:\n${first.failed.join("\n")}\n\n`);
  const again = await runTests(first.failed, 1);
  ({ succeeded } = again);
  const passed = first.failed.filter((file) => !again.failed.includes(file));
  excused = passed.length > 0;
  for (const file of passed) process.stdout.write(`failed beside others, and passed alone: ${file}\n`);
}
const leaks = await findLeaks(before);
const seconds = Math.round((performance.now() - start) / 1000);
const slowest = first.seconds
  .slice(0, slowestTold)
  .map(([file, took]) => `${relative(".", file)} ${took.toFixed(1)} s`);
process.stdout.write(`the longest files: ${slowest.join(", ")}\n`);
for (const leak of leaks) process.stdout.write(`left behind: ${leak}\n`);
process.stdout.write(`${files.length} test files, ${seconds} s, ${leaks.length} things left behind\n`);
process.exitCode = succeeded && (leaks.length === 0 || excused) ? 0 : 1;
