import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { Finding } from "./finding.ts";
import { floorsCheck, importsOf } from "./floors.ts";

/** Checks a workspace of the given files; every package gets a package.json with the given dependencies. */
function check(
  files: Record<string, string>,
  dependencies: Record<string, string[]> = {},
): Promise<readonly Finding[]> {
  const root = mkdtempSync(join(tmpdir(), "boxship-floors-"));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  try {
    write("package.json", JSON.stringify({ devDependencies: { "fast-check": "1.0.0" } }));
    const packages = new Set(Object.keys(files).map((path) => path.split("/")[1] ?? ""));
    for (const name of packages) {
      const declared = Object.fromEntries((dependencies[name] ?? []).map((dependency) => [dependency, "1.0.0"]));
      write(`packages/${name}/package.json`, JSON.stringify({ name: `@boxship/${name}`, dependencies: declared }));
    }
    for (const [path, text] of Object.entries(files)) write(path, text);
    return Promise.resolve(floorsCheck.run(root));
  } finally {
    rmSync(root, { recursive: true });
  }
}

const bad: readonly {
  readonly name: string;
  readonly files: Record<string, string>;
  readonly dependencies?: Record<string, string[]>;
  readonly want: string;
}[] = [
  {
    name: "an upward import",
    files: { "packages/oci/src/a.ts": 'import { x } from "@boxship/engine";' },
    dependencies: { oci: ["@boxship/engine"] },
    want: "packages/oci/src/a.ts:1 'oci' (floor 1) imports 'engine' (floor 2): imports go down only",
  },
  {
    name: "a sideways import, on several lines, types only",
    files: { "packages/oci/src/a.ts": 'export {\n  type X,\n} from "@boxship/network";' },
    dependencies: { oci: ["@boxship/network"] },
    want: "packages/oci/src/a.ts:1 'oci' (floor 1) imports 'network' (floor 1): imports go down only",
  },
  {
    name: "a dynamic upward import",
    files: { "packages/base/src/a.ts": '\nconst x = await import("@boxship/kernel");' },
    dependencies: { base: ["@boxship/kernel"] },
    want: "packages/base/src/a.ts:2 'base' (floor 0) imports 'kernel' (floor 0): imports go down only",
  },
  {
    name: "an undeclared package of ours",
    files: { "packages/oci/src/a.ts": 'import { x } from "@boxship/base";' },
    want: "packages/oci/src/a.ts:1 imports '@boxship/base', which its package.json does not declare",
  },
  {
    name: "an undeclared npm package, by a path in it",
    files: { "packages/oci/src/a.ts": 'import x from "@scope/thing/deep.js";' },
    want: "packages/oci/src/a.ts:1 imports '@scope/thing', which its package.json does not declare",
  },
  {
    name: "a package on no floor",
    files: { "packages/attic/src/a.ts": "" },
    want: "packages/attic is on no floor",
  },
  {
    name: "an import of a package on no floor",
    files: { "packages/oci/src/a.ts": 'import "@boxship/attic";' },
    dependencies: { oci: ["@boxship/attic"] },
    want: "packages/oci/src/a.ts:1 imports 'attic', which is on no floor",
  },
  {
    name: "the test kit outside a test",
    files: { "packages/oci/src/a.ts": 'import { x } from "@boxship/testkit";' },
    dependencies: { oci: ["@boxship/testkit"] },
    want: "packages/oci/src/a.ts:1 imports 'testkit', which is for tests only",
  },
  {
    name: "a development dependency outside a test",
    files: { "packages/oci/src/a.ts": 'import fc from "fast-check";' },
    want: "packages/oci/src/a.ts:1 imports 'fast-check', which its package.json does not declare",
  },
  {
    name: "a path into another package",
    files: { "packages/oci/src/a.ts": 'import { x } from "../../base/src/x.ts";', "packages/base/src/x.ts": "" },
    want: "packages/oci/src/a.ts:1 imports '../../base/src/x.ts' out of its package: use the package's name",
  },
  {
    name: "a worker that is not there",
    files: { "packages/oci/src/a.ts": 'startWorker("w", new URL("./gone.ts", import.meta.url));' },
    want: "packages/oci/src/a.ts:1 imports './gone.ts', which does not exist",
  },
  {
    name: "foreign functions outside the kernel package",
    files: { "packages/oci/src/a.ts": 'import { dlopen } from "node:ffi";' },
    want: "packages/oci/src/a.ts:1 imports 'node:ffi': system calls are made in one package",
  },
  {
    name: "a part of Node without its prefix",
    files: { "packages/oci/src/a.ts": 'import fs from "fs";' },
    want: "packages/oci/src/a.ts:1 imports 'fs': write 'node:fs'",
  },
];

for (const { name, files, dependencies, want } of bad) {
  test(`refuses ${name}`, async () => {
    const findings = await check(files, dependencies);
    assert.deepEqual(
      findings.map((finding) => `${finding.where} ${finding.what}`),
      [want],
    );
  });
}

test("accepts what goes down and is declared", async () => {
  const findings = await check(
    {
      "packages/base/src/x.ts": 'import { readFile } from "node:fs/promises";',
      "packages/kernel/src/x.ts": 'import { dlopen } from "node:ffi";\nimport { x } from "@boxship/base";',
      "packages/oci/src/a.ts": 'import type { X } from "@boxship/kernel";\nimport "./b.ts";',
      "packages/oci/src/b.ts": "",
      "packages/oci/src/b.test.ts":
        'import fc from "fast-check";\nimport { tempDir } from "@boxship/testkit";\nimport "node:child_process";',
      "packages/testkit/src/x.ts": 'import { x } from "@boxship/kernel";',
    },
    { kernel: ["@boxship/base"], oci: ["@boxship/kernel"], testkit: ["@boxship/kernel"] },
  );
  assert.deepEqual(findings, []);
});

test("does not take words in comments and strings for imports", () => {
  const source = '// import things from "elsewhere"\nconst text = `say "import" from "here"`;\nimport { a } from "b";';
  assert.deepEqual(importsOf(source), [{ specifier: "b", line: 3 }]);
});
