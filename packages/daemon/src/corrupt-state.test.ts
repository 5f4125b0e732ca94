import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import {
  type Boxship,
  busyboxEntries,
  daemonProgram,
  pushFixture,
  startBoxship,
  startRegistry,
  tempDir,
} from "@boxship/testkit";

/** Everything that the engine itself wrote: no layer's files, no volume's, no locks. */
function stateFiles(root: string): readonly string[] {
  const below = (directory: string): string[] =>
    readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return ["fs", "diff", "_data", "work", "merged"].includes(entry.name) ? [] : below(path);
      // What is kept of a file before its last change is read only beside one that cannot be.
      return entry.isFile() && entry.name !== "lock" && !entry.name.endsWith(".previous") ? [path] : [];
    });
  return below(root);
}

/** One file of each kind stands for all: names of hexadecimal digits tell only things of one kind from each other. */
function kindOf(root: string, path: string): string {
  return relative(root, path).replace(/[0-9a-f]{12,}/g, "*");
}

const WAYS: readonly ((bytes: Buffer) => Buffer)[] = [
  () => Buffer.from("garbage\n"),
  () => Buffer.alloc(0),
  (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2)),
  () => Buffer.from("null"),
];

async function furnish(engine: Boxship): Promise<void> {
  await using registry = await startRegistry();
  const image = { layers: [{ entries: await busyboxEntries() }] };
  const { reference } = await pushFixture(registry, "corrupt/busybox:1", image);
  await engine.client.call("POST", `/images/create?fromImage=${encodeURIComponent(reference)}`);
  await engine.client.json("POST", "/networks/create", { Name: "net" });
  await engine.client.json("POST", "/volumes/create", { Name: "data" });
  const made = await engine.client.json<{ Id: string }>("POST", "/containers/create?name=box", {
    Image: reference,
    Cmd: ["sleep", "1000"],
    HostConfig: { NetworkMode: "net", Binds: ["data:/data"] },
  });
  await engine.client.json("POST", `/containers/${made.Id}/start`);
}

const LISTS = ["/containers/json?all=1", "/images/json", "/networks", "/volumes", "/info", "/system/df"];

test("no state file, however broken, keeps the engine from starting", { timeout: 180_000 }, async () => {
  await using engine = await startBoxship();
  await furnish(engine);
  await engine.client.json("POST", "/containers/box/stop?t=0");
  await engine.stop();
  const kept = new Map(stateFiles(engine.root).map((path) => [path, readFileSync(path)]));
  const kinds = new Map([...kept.keys()].map((path) => [kindOf(engine.root, path), path]));
  assert.ok(kinds.size >= 8, [...kinds.keys()].join(" "));
  await using backup = tempDir("corrupt");
  execFileSync("cp", ["-a", `${engine.root}/.`, backup.path]);
  // Directories of the root itself may be mounts.
  const restore = (): void => {
    execFileSync("find", [engine.root, "-mindepth", "2", "-delete"]);
    execFileSync("cp", ["-a", `${backup.path}/.`, engine.root]);
  };
  const survives = async (what: string): Promise<void> => {
    try {
      await engine.start();
      for (const path of LISTS) {
        const { status, text } = await engine.client.call("GET", path);
        assert.equal(status, 200, `${path}: ${text}`);
      }
    } catch (cause) {
      throw new Error(`with ${what}`, { cause });
    }
    await engine.crash();
    restore();
  };
  let turn = 0;
  for (const [kind, path] of kinds) {
    const way = WAYS[turn++ % WAYS.length];
    writeFileSync(path, way?.(kept.get(path) ?? Buffer.alloc(0)) ?? "");
    await survives(`${kind} (way ${(turn - 1) % WAYS.length})`);
  }
  for (const [index, way] of WAYS.entries()) {
    for (const [path, bytes] of kept) writeFileSync(path, way(bytes));
    await survives(`all files (way ${index})`);
  }
  const log = readFileSync(engine.log, "utf8");
  for (const name of ["networks.json", "images.json", "container.json"]) {
    assert.ok(log.includes(name), `the log names ${name}`);
  }
});

test("a reset needs no state that can be read", { timeout: 120_000 }, async () => {
  await using engine = await startBoxship();
  await furnish(engine);
  const [pid = 0] = (await engine.client.json<{ Processes: string[][] }>("GET", "/containers/box/top")).Processes.map(
    ([, id]) => Number(id),
  );
  await engine.crash();
  // Of a later version: nothing that this one may move or guess at.
  writeFileSync(join(engine.root, "network", "networks.json"), '{"version": 99, "networks": []}');
  await assert.rejects(engine.start(), /another version/);
  const [file, ...args] = daemonProgram();
  const flags = ["--name", engine.name, "--root", engine.root, "--reset"];
  const { status, stderr } = spawnSync(file, [...args, ...flags], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  assert.equal(existsSync(`/proc/${pid}`), false, "the container's process");
  assert.deepEqual(readdirSync(engine.root), []);
  assert.equal(existsSync(engine.runDir), false);
  assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(engine.root));
  assert.ok(!execFileSync("ip", ["-o", "link"], { encoding: "utf8" }).includes(engine.name));
  // The test's own end starts it once more.
  await engine.start();
});
