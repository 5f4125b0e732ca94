import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { test } from "node:test";
import { busyboxTree } from "./busybox-tree.ts";
import { startDockerd } from "./dockerd.ts";
import { findLeaks, takeInventory } from "./leak-check.ts";
import { dockerCli, runProgram } from "./run-program.ts";
import { tempDir } from "./temp-dir.ts";

test("a private dockerd runs a container, and nothing of it stays", async (t) => {
  const before = await takeInventory();
  let own = "";
  {
    await using directory = tempDir("busybox");
    await using dockerd = await startDockerd();
    own = basename(dirname(dockerd.socketPath));
    const docker = dockerCli(dockerd.socketPath);
    if (docker === undefined) return t.skip("no docker client here");
    await mkdir(directory.join("root"));
    await busyboxTree(directory.join("root"));
    const archive = directory.join("root.tar");
    assert.equal((await runProgram(["tar", "-C", directory.join("root"), "-cf", archive, "."])).status, 0);
    const imported = await docker(["import", archive, "busybox"]);
    assert.equal(imported.status, 0, imported.stderr);
    const ran = await docker(["run", "--rm", "busybox", "sh", "-c", "echo from $(hostname | wc -c); exit 7"]);
    assert.deepEqual([ran.status, ran.stdout], [7, "from 13\n"], ran.stderr);
  }
  // Other tests run beside this one, with dockerd of their own: only what this one would leave counts.
  const only = (leak: string) => leak.includes(own) || leak.includes("docker0");
  assert.deepEqual(await findLeaks(before, { only }), []);
});
