import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { completionScripts } from "@boxship/base/completion-scripts";
import { runProgram, startApiServer, type TempDir, type TestApiServer, tempDir } from "@boxship/testkit";
import { boxship, onTerminal } from "../e2e/programs.ts";

let directory: TempDir;
let env: Record<string, string>;
let server: TestApiServer;

before(async () => {
  directory = tempDir("shells");
  const command = boxship.map((word) => `'${word}'`).join(" ");
  // No engine: names are not completed, and none is started for it.
  const host = `BOXSHIP_HOST=unix://${directory.join("none.sock")}`;
  await writeFile(directory.join("boxship"), `#!/bin/sh\n${host} exec ${command} "$@"\n`, { mode: 0o755 });
  for (const [shell, script] of Object.entries(completionScripts("boxship")))
    await writeFile(directory.join(shell), script);
  await writeFile(directory.join("kubectl"), `#!/bin/sh\nexec ${command} kubectl "$@"\n`, { mode: 0o755 });
  server = await startApiServer();
  env = {
    KUBECONFIG: server.kubeconfig,
    PATH: `${directory.path}:${process.env["PATH"] ?? ""}`,
    HOME: directory.path,
    TERM: "dumb",
  };
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const absent = (shell: string) => (existsSync(`/usr/bin/${shell}`) ? false : `no ${shell} here`);

/** What a shell on a terminal makes of what is typed, tab keys included. */
async function typed(shell: readonly string[], prepare: string, line: string, shown: RegExp): Promise<string> {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const terminal = onTerminal(["env", ...variables, ...shell], 30_000);
  await terminal.type(/[$%#>] /, `${prepare}; echo prep''ared\n`);
  await terminal.type(/prepared\r?\n/, line);
  await terminal.type(shown, "\u0015exit\n");
  return (await terminal.end()).output;
}

for (const [shell, command, prepare] of [
  ["bash", ["bash", "--norc", "--noprofile", "-i"], (file: string) => `source ${file}`],
  ["zsh", ["zsh", "-f", "-i"], (file: string) => `autoload -Uz compinit; compinit -u -D; source ${file}`],
] as const) {
  test(`${shell} completes commands, flags and values of flags`, { skip: absent(shell), timeout: 60_000 }, async () => {
    const source = prepare(directory.join(shell));
    await typed(command, source, "boxship volume insp\t", /volume.{1,20}inspect/s);
    await typed(command, source, "boxship system soc\tcr\t", /system socket.{1,20}create/s);
    await typed(command, source, "boxship run --entryp\t", /boxship run --entrypoint/);
    await typed(command, source, "boxship vol\t", /boxship volume /);
  });
}

test("fish completes commands and flags", { skip: absent("fish"), timeout: 60_000 }, async () => {
  const ask = async (line: string) => {
    const script = `source ${directory.join("fish")}; complete -C ${JSON.stringify(line)}`;
    const { stdout, stderr } = await runProgram(["fish", "--no-config", "-c", script], { env });
    assert.equal(stderr, "");
    return stdout.trim().split("\n");
  };
  assert.deepEqual(await ask("boxship volume insp"), ["inspect"]);
  assert.deepEqual(await ask("boxship system socket c"), ["create"]);
  assert.ok((await ask("boxship run --e")).includes("--entrypoint"));
});

/** Writes what our kubectl says its completion is. @returns the file */
async function kubectlScript(shell: string): Promise<string> {
  const file = directory.join(`kubectl.${shell}`);
  const { stdout } = await runProgram(["kubectl", "completion", shell], { env });
  await writeFile(file, stdout);
  return file;
}

test("fish completes kubectl: verbs, kinds, names with colons, values behind flags", {
  skip: absent("fish"),
  timeout: 60_000,
}, async () => {
  const lines = {
    "kubectl descr": "describe",
    "kubectl get clusterrole system:basic": "system:basic-user",
    "kubectl get pods --namespace=kube-sy": "--namespace=kube-system",
    "kubectl describe configmap kube-r": "kube-root-ca.crt",
    "kubectl apply -f /etc/hostna": "/etc/hostname",
  };
  const asked = Object.keys(lines).map((line) => `complete -C ${JSON.stringify(line)}`);
  const script = [`source ${await kubectlScript("fish")}`, ...asked].join("\n");
  const { stdout, stderr } = await runProgram(["fish", "--no-config", "-c", script], { env });
  assert.equal(stderr, "");
  const found = stdout.trim().split("\n");
  assert.deepEqual(
    found.map((one) => one.split("\t")[0]),
    Object.values(lines),
  );
});

test("zsh completes kubectl: verbs, kinds, names with colons, values behind flags and in them", {
  skip: absent("zsh"),
  timeout: 60_000,
}, async () => {
  const lines: readonly [typed: string, shown: RegExp][] = [
    ["kubectl descr\t", /kubectl describe /],
    ["kubectl describe configmap kube-r\t", /kubectl describe configmap kube-root-ca\.crt /],
    ["kubectl get clusterrole system:basic\t", /kubectl get clusterrole system:basic-user /],
    ["kubectl get pods --namespace=kube-sy\t", /kubectl get pods --namespace=kube-system /],
    ["kubectl apply --filename=/etc/hostna\t", /kubectl apply --filename=\/etc\/hostname /],
  ];
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const terminal = onTerminal(["env", ...variables, "zsh", "-f", "-i"], 55_000);
  const script = await kubectlScript("zsh");
  await terminal.type(
    /[$%#>] /,
    `autoload -Uz compinit; compinit -u -D; source ${script}; COLUMNS=150; echo prep''ared\n`,
  );
  let shown = /prepared\r?\n/;
  for (const [line, next] of lines) {
    await terminal.type(shown, `\u0015${line}`);
    shown = next;
  }
  await terminal.type(shown, "\u0015exit\n");
  await terminal.end();
});
