import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { CurrentDirectory, OpenFlag, openat, projectOf, projectQuota, releaseMountsBelow } from "@boxship/kernel";
import { tempDir } from "@boxship/testkit";
import { limitDirectory } from "./directory-limit.ts";

/** An ext4 that counts projects. @returns why there can be none */
function mountExt4(directory: string, target: string): string | undefined {
  const image = `${directory}/image`;
  writeFileSync(image, "");
  truncateSync(image, 64 << 20);
  const commands = [
    ["mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota", image],
    ["mount", "-o", "loop,prjquota", image, target],
  ];
  for (const [command = "", ...args] of commands) {
    const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
    if (status !== 0) return `${command}: ${stderr}`;
  }
  return undefined;
}

const projectAt = (directory: string): number => {
  using fd = openat(CurrentDirectory, directory, OpenFlag.ReadOnly | OpenFlag.Directory);
  return projectOf(fd);
};

test("where there are no project quotas there is no limit, and nothing is changed", async () => {
  await using home = tempDir();
  assert.equal(await limitDirectory(home.path, 1n << 20n), false);
  assert.equal(await limitDirectory(home.path, 0n), false);
  assert.equal(projectAt(home.path), 0);
  await assert.rejects(limitDirectory(home.join("none"), 1n), { code: "ENOENT" });
});

test("a directory on ext4 with project quotas holds what it may, and its project is given back", async (t: TestContext) => {
  await using home = tempDir();
  const mounted = home.join("mounted");
  mkdirSync(mounted);
  const missing = mountExt4(home.path, mounted);
  if (missing !== undefined) return t.skip(`no file system with project quotas: ${missing}`);
  try {
    const [one, two, full] = ["one", "two", "full"].map((name) => `${mounted}/${name}`) as [string, string, string];
    for (const directory of [one, two, full]) mkdirSync(directory);
    const write = (directory: string, megabytes: number) =>
      writeFileSync(`${directory}/file`, Buffer.alloc(megabytes << 20));
    assert.equal(await limitDirectory(one, 4n << 20n), true);
    assert.equal(await limitDirectory(two, 8n << 20n), true);
    assert.notEqual(projectAt(one), projectAt(two));
    assert.throws(() => write(one, 5), { code: "EDQUOT" });
    write(two, 5);
    // It grows, and is lifted.
    assert.equal(await limitDirectory(one, 6n << 20n), true);
    write(one, 5);
    mkdirSync(`${one}/below`);
    assert.throws(() => write(`${one}/below`, 2), { code: "EDQUOT" });
    const project = projectAt(one);
    assert.equal(await limitDirectory(one, 0n), true);
    write(one, 9);
    rmSync(one, { recursive: true });
    write(full, 1);
    assert.equal(await limitDirectory(full, 1n << 20n), false, "what is in it was not counted");
    using place = openat(CurrentDirectory, mounted, OpenFlag.ReadOnly | OpenFlag.Directory);
    assert.deepEqual(projectQuota(place, project), { used: 0n, limit: 0n });
    mkdirSync(one);
    assert.equal(await limitDirectory(one, 1n << 20n), true);
    assert.equal(projectAt(one), project);
  } finally {
    await releaseMountsBelow(mounted);
  }
});
