import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { runProgram, tempDir } from "@boxship/testkit";
import { type CommandEntry, isGroup } from "../command.ts";
import { commandTable } from "../command-table.ts";
import type { Context } from "../context.ts";
import { complete } from "./complete.ts";
import { completionScripts } from "./scripts.ts";

const context = { endpoint: { kind: "unix", path: "/nonexistent/engine.sock" } } as unknown as Context;

const ask = (line: string) => complete(context, commandTable, line.split(" "));

test("commands, flags and values", async () => {
  deepEqual(await ask("ru"), ["run"]);
  deepEqual(await ask("container re"), ["rename", "restart"]);
  deepEqual(await ask("--host x net"), ["network"]);
  deepEqual(await ask("run --cpu"), [
    "--cpu-period",
    "--cpu-quota",
    "--cpu-rt-period",
    "--cpu-rt-runtime",
    "--cpu-shares",
    "--cpus",
    "--cpuset-cpus",
    "--cpuset-mems",
  ]);
  deepEqual(await ask("run --pull "), ["always", "missing", "never"]);
  deepEqual(await ask("run --restart on"), ["on-failure"]);
  deepEqual(await ask("run busybox --rm"), []);
  deepEqual(await ask("ps -a --f"), ["--filter", "--format"]);
  deepEqual(await ask("nonsense "), []);
  equal((await ask("")).includes("run"), true);
  equal((await ask("")).includes("__complete"), false);
});

test("an engine that does not run is not missed", async () => {
  deepEqual(await ask("logs "), []);
  deepEqual(await ask("rmi "), []);
});

test("the scripts are valid in their shells", async () => {
  await using directory = tempDir("cli-complete");
  const { writeFileSync } = await import("node:fs");
  writeFileSync(directory.join("bash"), completionScripts["bash"] ?? "");
  const checked = await runProgram(["bash", "-n", directory.join("bash")]);
  deepEqual([checked.status, checked.stderr], [0, ""]);
});

test("every command loads and says what it is for", async () => {
  const leaves = (entry: (typeof commandTable)[number]): CommandEntry[] =>
    isGroup(entry) ? entry.children.flatMap(leaves) : [entry];
  const entries = commandTable.flatMap(leaves);
  for (const entry of entries) {
    const { command } = await entry.load();
    equal(command.summary !== "" && (entry.hidden || entry.summary === command.summary), true, entry.name);
    for (const flag of Object.values(command.flags)) equal(flag.help !== "", true);
  }
});
