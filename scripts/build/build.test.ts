import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { cachedDataVersionTag } from "node:v8";
import { bundleParts, writeBundle } from "./bundle.ts";
import { buildExecutable } from "./executable.ts";
import { findWorkers } from "./workers.ts";

/** A program of the real one's shape: a command line, a daemon, a worker that both start. */
const sources = {
  "packages/tool/src/double-worker.ts": `import { parentPort, workerData } from "node:worker_threads";
import { errorMessage } from "@boxship/base/errors";
parentPort?.postMessage(errorMessage(String(Number(workerData) * 2)));`,
  "packages/tool/src/double.ts": `import { once } from "node:events";
import { startWorker } from "@boxship/base/entry";
export async function double(value: number): Promise<string> {
  const worker = startWorker("double", new URL("./double-worker.ts", import.meta.url), { workerData: value });
  const [answer] = await once(worker, "message");
  return String(answer);
}`,
  "packages/cli/src/main.ts": `import { execFileSync } from "node:child_process";
import { cachedDataVersionTag } from "node:v8";
import { daemonCommand } from "@boxship/base/entry";
import { double } from "../../tool/src/double.ts";
if (process.argv[2] === "tag") console.log(cachedDataVersionTag());
else void double(21).then(async (answer) => {
  const [file, ...args] = daemonCommand();
  const { S3Client } = await import("@aws-sdk/client-s3");
  const { isIP } = await import("node:net");
  console.log("cli", answer, S3Client.name, isIP("::1"), execFileSync(file, [...args, "--name", "x"], { encoding: "utf8" }).trim());
});`,
  "packages/cli/src/skopeo/main.ts": `import { errorMessage } from "@boxship/base/errors";
console.log("a part:", errorMessage(process.argv.slice(2).join(" ")));`,
  "packages/registry/package.json": "{}",
  "packages/daemon/src/main.ts": `import { double } from "../../tool/src/double.ts";
void double(4).then((answer) => console.log("daemon", answer, process.argv.slice(2).join(" ")));`,
};

const repository = resolve(import.meta.dirname, "../..");
let root = "";

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

describe("the build", () => {
  before(() => {
    root = mkdtempSync(join(tmpdir(), "boxship-build-"));
    for (const [path, text] of Object.entries(sources)) write(path, text);
    symlinkSync(join(repository, "node_modules"), join(root, "node_modules"));
  });
  after(() => rmSync(root, { recursive: true }));

  test("a bundle runs the command line, the daemon and the workers", async () => {
    const parts = await bundleParts(root);
    assert.doesNotMatch(parts.get("cli") ?? "", /@smithy/, "large libraries are parts of their own");
    assert.match(parts.get("s3-client") ?? "", /S3Client/);
    const directory = writeBundle(root, parts);
    const output = execFileSync(process.execPath, [join(root, "dist/current/boxship.cjs")], { encoding: "utf8" });
    assert.equal(output, "cli 42 S3Client 6 daemon 8 daemon-process --name x\n");
    assert.equal(join(root, "dist", readlinkSync(join(root, "dist/current"))), directory);
    assert.ok(readFileSync(join(directory, "cli.cache")).length > 0);
    writeFileSync(join(directory, "cli.cache"), "of another Node");
    assert.equal(execFileSync(process.execPath, [join(directory, "boxship.cjs")], { encoding: "utf8" }), output);
  });

  test("the same sources are the same build; others leave it in place", async () => {
    const first = writeBundle(root, await bundleParts(root));
    assert.equal(writeBundle(root, await bundleParts(root)), first);
    write("packages/daemon/src/main.ts", `${sources["packages/daemon/src/main.ts"]}\nconsole.log("changed");`);
    const second = writeBundle(root, await bundleParts(root));
    write("packages/daemon/src/main.ts", sources["packages/daemon/src/main.ts"]);
    assert.notEqual(second, first);
    assert.ok(lstatSync(first).isDirectory());
  });

  test("a single executable runs them too", async () => {
    await buildExecutable(root, await bundleParts(root));
    const executable = join(root, "dist/boxship");
    const output = execFileSync(executable, { encoding: "utf8", cwd: "/" });
    assert.equal(output, "cli 42 S3Client 6 daemon 8 daemon-process --name x\n");
    // Node refuses the code caches of its own modules, too, when there is a flag of V8 that they were not made with.
    assert.equal(execFileSync(executable, ["tag"], { encoding: "utf8" }), `${cachedDataVersionTag()}\n`);
    const named = join(root, "dist/skopeo");
    symlinkSync("boxship", named);
    assert.equal(execFileSync(named, ["inspect", "x"], { encoding: "utf8" }), "a part: skopeo inspect x\n");
  });

  test("workers of a pool are found, and files that no bundle would hold are refused", () => {
    write(
      "packages/tool/src/pool.ts",
      'new Pool({ name: "add", workers: 1, source: new URL("./a.ts", import.meta.url) });',
    );
    assert.deepEqual([...findWorkers(root).keys()].sort(), ["add", "double"]);
    write("packages/tool/src/data.ts", 'readFile(new URL("./table.json", import.meta.url));');
    assert.throws(() => findWorkers(root), /packages\/tool\/src\/data\.ts refers to a file beside it/);
  });
});
