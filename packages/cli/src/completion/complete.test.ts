import { deepEqual, equal } from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { completionScripts } from "@boxship/base/completion-scripts";
import { runProgram, tempDir } from "@boxship/testkit";
import { type CommandEntry, isGroup } from "../command.ts";
import { commandTable } from "../command-table.ts";
import type { Context } from "../context.ts";
import { complete } from "./complete.ts";

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

test("names of the engine's objects, also as values of flags", async () => {
  await using directory = tempDir("cli-complete-names");
  const answers: Record<string, unknown> = {
    "/networks": [{ Name: "bridge" }, { Name: "host" }, { Name: "mine" }],
    "/containers/json": [{ Names: ["/db"] }, { Names: ["/web"] }],
    "/volumes": { Volumes: [{ Name: "data" }] },
  };
  const server = createServer((request, response) => {
    const path = (request.url ?? "").replace(/^\/v[0-9.]+/, "").replace(/\?.*/, "");
    response.setHeader("Content-Type", "application/json").end(JSON.stringify(answers[path] ?? {}));
  });
  const path = directory.join("engine.sock");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    const engine = { endpoint: { kind: "unix", path } } as unknown as Context;
    const names = (...words: string[]) => complete(engine, commandTable, words);
    deepEqual(await names("run", "--network", ""), ["bridge", "host", "mine", "container:"]);
    deepEqual(await names("run", "--network=h"), ["--network=host"]);
    deepEqual(await names("run", "--network", "=", "h"), ["host"], "as bash cuts it");
    deepEqual(await names("run", "--network", "="), ["bridge", "host", "mine", "container:"]);
    deepEqual(await names("run", "--rm="), []);
    deepEqual(await names("run", "--pull=n"), ["--pull=never"]);
    deepEqual(await names("run", "-v", ""), ["data"]);
    deepEqual(await names("create", "--volumes-from", "w"), ["web"]);
    deepEqual(await names("network", "connect", "m"), ["mine"]);
    deepEqual(await names("network", "connect", "mine", ""), ["db", "web"]);
    deepEqual(await names("logs", "d"), ["db"]);
  } finally {
    server.close();
  }
});

test("the scripts are valid in their shells", async () => {
  await using directory = tempDir("cli-complete");
  const { writeFileSync } = await import("node:fs");
  writeFileSync(directory.join("bash"), completionScripts("boxship")["bash"] ?? "");
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
