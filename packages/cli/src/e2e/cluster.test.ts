import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { test } from "node:test";
import { cliProgram, kubectl, type Ran, runProgram, tempDir } from "@boxship/testkit";

test("up starts a cluster, down ends it, and what it held is there after the next up", async (t) => {
  await using directory = tempDir();
  const root = directory.join("root");
  const env = { BOXSHIP_RUN: directory.join("run") };
  const boxship = async (...args: readonly string[]): Promise<Ran> => {
    const ran = await runProgram([...cliProgram(), "--name", "updown", "--root", root, ...args], { env });
    assert.equal(ran.status, 0, ran.stderr);
    return ran;
  };
  await using _down = { [Symbol.asyncDispose]: async () => void (await boxship("down")) };
  const started = await boxship("up", "--port", "0");
  const config = /KUBECONFIG=(?<path>\S+)/.exec(started.stdout)?.groups?.["path"] ?? "";
  assert.equal(statSync(config).mode & 0o777, 0o600);
  assert.match((await boxship("up")).stdout, /^The cluster is running already \(process \d+\)\n$/);
  const run = kubectl(config, directory.join("home"));
  if (run === undefined) t.diagnostic("kubectl cannot be had here");
  assert.equal((await run?.(["create", "configmap", "kept"]))?.status ?? 0, 0);
  assert.equal((await boxship("down")).stdout, "The cluster is stopped\n");
  assert.equal(existsSync(directory.join("run", "cluster.pid")), false);
  assert.equal((await boxship("down")).stdout, "The cluster is not running\n");
  await boxship("up", "--port", "0");
  assert.equal(
    (await run?.(["get", "configmap", "kept", "-o", "name"]))?.stdout ?? "configmap/kept\n",
    "configmap/kept\n",
  );
});
