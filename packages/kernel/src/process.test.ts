import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { reap, spawnProcess, waitForExit } from "./process.ts";
import { pidfdOpen, processExists, signalNumber } from "./signals.ts";
import { spawnUnwatched } from "./spawn.ts";
import { failOnLeaks } from "./testing.ts";

failOnLeaks();

const shell = (script: string) => spawnProcess({ file: "/bin/sh", args: ["-c", script] });

test("codes and signals are told apart", async () => {
  assert.deepEqual(await spawnProcess({ file: "/bin/true" }).exited, { code: 0, signal: undefined });
  assert.deepEqual(await shell("exit 137").exited, { code: 137, signal: undefined });
  assert.deepEqual(await shell("kill -9 $$").exited, { code: undefined, signal: "SIGKILL" });
});

test("a running process can be signalled, an ended one not any more", async () => {
  const child = spawnProcess({ file: "/bin/sleep", args: ["60"] });
  assert.equal(child.kill(signalNumber("TERM")), true);
  assert.deepEqual(await child.exited, { code: undefined, signal: "SIGTERM" });
  assert.equal(child.kill(signalNumber("TERM")), false);
  assert.equal(processExists(child.pid), false);
});

test("children of node:child_process and ours do not take each other's statuses", async () => {
  const theirs = Array.from({ length: 10 }, (_, code) => {
    const child = spawn("/bin/sh", ["-c", `exit ${code}`]);
    return new Promise((resolve) => child.on("close", resolve));
  });
  const ours = Array.from({ length: 10 }, async (_, code) => (await shell(`exit ${code}`).exited).code);
  assert.deepEqual(await Promise.all(theirs), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(await Promise.all(ours), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("1000 processes, 100 at a time: every status arrives, no zombie stays", async () => {
  for (let round = 0; round < 10; round++) {
    const children = Array.from({ length: 100 }, () => spawnProcess({ file: "/bin/true" }));
    const statuses = await Promise.all(children.map((child) => child.exited));
    assert.ok(statuses.every(({ code }) => code === 0));
    assert.ok(children.every(({ pid }) => !existsSync(`/proc/${pid}`)));
  }
});

test("an unwatched child is reaped by hand", async () => {
  const { pidfd } = spawnUnwatched({ file: "/bin/sh", args: ["-c", "exit 3"] });
  await waitForExit(pidfd);
  assert.deepEqual(reap(pidfd), { code: 3, signal: undefined });
  assert.throws(() => reap(pidfd), { code: "ECHILD" });
  pidfd.close();
});

test("waiting for a process can be given up", async () => {
  using pidfd = pidfdOpen(process.pid);
  const controller = new AbortController();
  const waiting = waitForExit(pidfd, controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, { message: "enough" });
});
