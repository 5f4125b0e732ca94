import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { test } from "node:test";
import { findLeaks, takeInventory } from "./leak-check.ts";
import { runProgram } from "./run-program.ts";
import { tempDir } from "./temp-dir.ts";

test("a mount, a device, a process and a directory that were not there before are named", async () => {
  const before = await takeInventory();
  const device = `bxleak${process.pid % 10_000}`;
  let leaks: string[];
  let path: string;
  {
    await using stack = new AsyncDisposableStack();
    const directory = stack.use(tempDir("leak"));
    path = directory.path;
    await mkdir(directory.join("mount"));
    assert.equal((await runProgram(["mount", "-t", "tmpfs", "leak", directory.join("mount")])).status, 0);
    assert.equal((await runProgram(["ip", "link", "add", device, "type", "bridge"])).status, 0);
    stack.defer(() => runProgram(["ip", "link", "del", device]).then(() => {}));
    leaks = await findLeaks(before, { patience: 0 });
    const wanted = [`mount ${directory.join("mount")}`, `network device ${device}`, `temporary ${path}`];
    assert.deepEqual(
      wanted.filter((line) => !leaks.includes(line)),
      [],
    );
  }
  // Disposing the directory unmounts what is in it, and removes it.
  assert.equal(existsSync(path), false);
  const after = await findLeaks(before, { patience: 1000 });
  assert.deepEqual(
    after.filter((line) => line.includes(path) || line.includes(device)),
    [],
  );
});
