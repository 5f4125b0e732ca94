import { deepEqual, equal, ok } from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { openWorkspace } from "./workspace.ts";

test("workspaces of others who live stay, those of the dead and nothing else are removed", async () => {
  await using directory = tempDir("workspace");
  {
    await using first = await openWorkspace(directory.path);
    const dead = directory.join(".boxship-images-dead1");
    mkdirSync(join(dead, "blobs"), { recursive: true });
    writeFileSync(join(dead, "blobs/half"), "half");
    writeFileSync(join(dead, "lock"), "");
    mkdirSync(directory.join(".boxship-images-gone-dead2"));
    writeFileSync(directory.join(".boxship-images"), "a user's");
    await using second = await openWorkspace(directory.path);
    ok(existsSync(first.path) && existsSync(second.path));
    equal(readdirSync(directory.path).length, 3);
  }
  deepEqual(readdirSync(directory.path), [".boxship-images"]);
});

test("many at once get one each", async () => {
  await using directory = tempDir("workspace");
  const workspaces = await Promise.all(Array.from({ length: 50 }, () => openWorkspace(directory.path)));
  equal(new Set(workspaces.map(({ path }) => path)).size, 50);
  for (const { path } of workspaces) ok(existsSync(path));
  await Promise.all(workspaces.map((workspace) => workspace[Symbol.asyncDispose]()));
  deepEqual(readdirSync(directory.path), []);
});
