import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, test } from "node:test";
import { makeDevice, mknodat } from "@boxship/kernel";
import { tempDir } from "@boxship/testkit";
import fc from "fast-check";
import { listTree } from "../testing/list-tree.ts";
import { copyFiles, digestFiles, endFilesWorkers } from "./files.ts";
import { IgnoreRules, readIgnoreFile } from "./ignore.ts";
import { parseMode } from "./mode.ts";

after(() => endFilesWorkers());

test("ignore rules: what Docker leaves out", () => {
  const cases: readonly (readonly [patterns: string, path: string, ignored: boolean])[] = [
    ["a.txt", "a.txt", true],
    ["a.txt", "d/a.txt", false],
    ["*.txt", "a.txt", true],
    ["*.txt", "d/a.txt", false],
    ["**/*.txt", "a.txt", true],
    ["**/*.txt", "d/e/a.txt", true],
    ["d", "d/e/a.txt", true],
    ["/d/", "d/a", true],
    ["./d/../e", "e/x", true],
    ["d/*\n!d/keep", "d/keep", false],
    ["d/*\n!d/keep", "d/other", true],
    ["d\n!d/keep\nd/keep/x", "d/keep/x", true],
    ["*\n!**/*.go", "x/y.go", false],
    ["a?c", "abc", true],
    ["a?c", "a/c", false],
    ["[a-c]x", "bx", true],
    ["[^a-c]x", "bx", false],
    ["a\\*", "a*", true],
    ["a\\*", "ab", false],
    ["**/node_modules", "p/node_modules/q/r", true],
    ["d/**", "d/x/y", true],
    ["d/**", "d", false],
    ["# c\n\n  a  \n", "a", true],
  ];
  for (const [patterns, path, ignored] of cases) {
    const rules = new IgnoreRules(readIgnoreFile(Buffer.from(patterns)));
    assert.equal(rules.ignores(path), ignored, `${JSON.stringify(patterns)} ${path}`);
  }
});

test("a directory that hides everything holds nothing that is let in", () => {
  const part = fc.constantFrom("a", "b", "c", "*", "**", "a*");
  const pattern = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
  const patterns = fc.array(fc.tuple(fc.boolean(), pattern), { maxLength: 4 });
  const path = fc.array(fc.constantFrom("a", "b", "c", "ab"), { minLength: 2, maxLength: 4 });
  fc.assert(
    fc.property(patterns, path, (lines, parts) => {
      const rules = new IgnoreRules(lines.map(([exception, text]) => (exception ? `!${text}` : text)));
      const directory = parts.slice(0, -1).join("/");
      if (rules.ignores(directory) && rules.hidesAllBelow(directory)) assert.ok(rules.ignores(parts.join("/")));
    }),
    { numRuns: 3000 },
  );
});

test("modes in octal and in words", () => {
  const of = (text: string, mode: number, isDirectory = false) => parseMode(text)(mode, isDirectory).toString(8);
  assert.deepEqual(
    [
      of("755", 0o600),
      of("u+x", 0o644),
      of("go-rwx", 0o777),
      of("a=rX", 0o700),
      of("a=rX", 0o600),
      of("u=rw,g=r,o=", 0o7),
    ],
    ["755", "744", "700", "555", "444", "640"],
  );
  assert.equal(of("a+X", 0o600, true), "711");
  assert.throws(() => parseMode("u+q"), /invalid chmod parameter/);
});

test("links never lead out of a context; sockets are left out, devices and dangling links are kept", async () => {
  await using directory = tempDir("build-files");
  const [context, target] = [directory.join("context"), directory.join("target")];
  mkdirSync(`${context}/d`, { recursive: true });
  mkdirSync(target);
  writeFileSync(directory.join("outside"), "secret");
  writeFileSync(`${context}/d/real`, "r");
  symlinkSync("../../outside", `${context}/d/out`);
  symlinkSync(directory.join("outside"), `${context}/absolute`);
  symlinkSync("nowhere", `${context}/d/dangling`);
  mknodat(-100, `${context}/d/null`, 0o020666, makeDevice(1, 3));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${context}/d/socket`, resolve));
  const copy = (...sources: string[]) =>
    copyFiles({ selection: { root: context, sources }, target, destination: "/x/", rootOwned: true });
  await copy("d");
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(
    listTree(target).map((line) => line.split(" ")[0]),
    ["x/", "x/dangling", "x/null", "x/out", "x/real"],
  );
  // Seen from the context's root there is no such file.
  await assert.rejects(copy("d/out"), /file not found in build context/);
  await assert.rejects(copy("absolute"), /file not found in build context/);
  await assert.rejects(copy("d/../../outside"), /file not found in build context/);
});

test("a digest goes by names, types, modes and content, not by time", async () => {
  await using directory = tempDir("build-digest");
  writeFileSync(directory.join("a"), "one");
  mkdirSync(directory.join("d"));
  writeFileSync(directory.join("d/b"), "two");
  const digest = async () => {
    const options = { owners: false, names: false };
    return (await digestFiles({ root: directory.path, sources: ["."] }, options)).digest;
  };
  const first = await digest();
  utimesSync(directory.join("a"), 1, 1);
  assert.equal(await digest(), first);
  chmodSync(directory.join("a"), 0o600);
  const other = await digest();
  assert.notEqual(other, first);
  writeFileSync(directory.join("d/c"), "");
  assert.notEqual(await digest(), other);
});

test("many files are read and copied, and the event loop goes on", async () => {
  await using directory = tempDir("build-many");
  const [context, target] = [directory.join("context"), directory.join("target")];
  mkdirSync(target);
  for (let outer = 0; outer < 20; outer++) {
    mkdirSync(`${context}/${outer}`, { recursive: true });
    for (let inner = 0; inner < 200; inner++) writeFileSync(`${context}/${outer}/${inner}`, "x");
  }
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last - 5);
    last = performance.now();
  }, 5);
  const { files } = await digestFiles({ root: context, sources: ["."] }, { owners: false, names: false });
  const copied = await copyFiles({ selection: { root: context, sources: ["."] }, target, destination: "/" });
  clearInterval(timer);
  assert.deepEqual([files, copied], [4000, 4020]);
  assert.ok(longest < 500, `the event loop stood still for ${Math.round(longest)} ms`);
  assert.equal(readFileSync(`${target}/19/199`, "utf8"), "x");
  assert.equal(statSync(`${target}/7`).isDirectory(), true);
});
