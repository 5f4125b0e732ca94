import assert from "node:assert/strict";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { kubernetesProgram, runProgram } from "@boxship/testkit";
import { buildKustomization } from "./build.ts";
import { BuildFailure } from "./failure.ts";
import { type Case, readCases, writeCase } from "./testing/cases.ts";

const cases = await readCases();
const program = kubernetesProgram("kubectl");

interface Result {
  readonly want: string;
  readonly failure: string;
}

async function build(directory: string): Promise<Result> {
  let failure = "";
  const warn = (line: string): void => {
    failure += `${line}\n`;
  };
  try {
    return { want: await buildKustomization(directory, { warn }), failure };
  } catch (error) {
    if (!(error instanceof BuildFailure)) throw error;
    return { want: "", failure: `${failure}error: ${error.message}\n` };
  }
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "boxship-kustomize-")));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Without what differs from run to run: the directory, and a logger's head of a line. */
function plain({ want, failure }: Result, directory: string): Result {
  const text = failure.replaceAll(directory, "DIR").replaceAll(/^I\d{4} .*?\] /gm, "");
  return { want, failure: text.trimEnd() };
}

const wanted = ({ want, failure }: Case): Result => ({ want, failure: failure.trimEnd() });

test("there are enough cases, each with a purpose of its own", () => {
  assert.ok(cases.length >= 100);
  assert.ok(cases.filter(({ want }) => want === "").length >= 20);
  assert.equal(new Set(cases.map(({ why }) => why)).size, cases.length);
});

test("kustomizations are built, or refused, as kubectl's builder was seen to", async () => {
  await inFolder(async (folder) => {
    for (const one of cases) {
      const directory = await writeCase(folder, one);
      assert.deepEqual(plain(await build(directory), directory), wanted(one), `${one.name}: ${one.why}`);
    }
  });
});

test("kubectl still builds and refuses them so", { skip: program === undefined, concurrency: true }, async () => {
  await inFolder(async (folder) => {
    const waiting = [...cases];
    const work = async (): Promise<void> => {
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
        const directory = await writeCase(folder, one);
        const { stdout, stderr, status } = await runProgram([program ?? "", "kustomize", directory]);
        assert.deepEqual(plain({ want: stdout, failure: stderr }, directory), wanted(one), one.name);
        assert.equal(status === 0, !/^error: /m.test(one.failure), one.name);
      }
    };
    // All of them have to be done before the folder goes.
    const ends = await Promise.allSettled(Array.from({ length: 4 }, work));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  });
});
