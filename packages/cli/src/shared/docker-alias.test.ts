import assert from "node:assert/strict";
import { lstat, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { test } from "node:test";
import { runProgram, tempDir } from "@boxship/testkit";
import { dockerCommandAlias, dockerSocketAlias } from "./docker-alias.ts";

test("the socket: made where there is none, taken back, and nobody else's touched", async () => {
  await using directory = tempDir("alias");
  const [path, engine] = [directory.join("deep", "docker.sock"), directory.join("engine.sock")];
  const alias = dockerSocketAlias(path, engine);
  assert.equal((await alias.make()).done, true);
  assert.equal(await readlink(path), engine);
  assert.match((await alias.make()).message, /already/);
  assert.match((await alias.undo()).message, /is gone/);
  await assert.rejects(lstat(path), { code: "ENOENT" });
  assert.match((await alias.undo()).message, /nothing to undo/);

  const real = createServer();
  await new Promise<void>((ready) => real.listen(path, ready));
  assert.deepEqual(await alias.make(), {
    done: false,
    message: `${path} belongs to another engine that is running: it stays as it is`,
  });
  assert.match((await alias.undo()).message, /nothing to undo/);
  assert.ok((await lstat(path)).isSocket());
  await new Promise((closed) => real.close(closed));

  await symlink(directory.join("elsewhere"), directory.join("link"));
  assert.equal((await dockerSocketAlias(directory.join("link"), engine).make()).done, false);
  await writeFile(directory.join("file"), "x");
  assert.equal((await dockerSocketAlias(directory.join("file"), engine).make()).done, false);
  assert.equal(await readFile(directory.join("file"), "utf8"), "x");
});

test("the command: runs this program; a docker that is there stays", async () => {
  await using directory = tempDir("alias");
  const path = directory.join("bin", "docker");
  const alias = dockerCommandAlias(path, `${directory.join("other")}:${directory.join("bin")}`);
  assert.equal((await alias.make()).done, true);
  const { stdout } = await runProgram([path, "--version"]);
  assert.match(stdout, /^boxship version/i);
  assert.equal((await alias.make()).done, true);
  assert.match((await alias.undo()).message, /is gone/);
  await writeFile(directory.join("docker"), "#!/bin/sh\n", { mode: 0o755 });
  const elsewhere = dockerCommandAlias(path, directory.path);
  assert.deepEqual(await elsewhere.make(), {
    done: false,
    message: `${directory.join("docker")} is another docker command: it stays as it is`,
  });
  assert.match((await elsewhere.undo()).message, /nothing to undo/);
});
