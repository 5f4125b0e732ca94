import { deepEqual, equal, match } from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { kubectlHere, runProgram, tempDir } from "@boxship/testkit";

/** Answers as the program does, and writes down what it was asked. */
const PROGRAM = `#!/bin/sh
printf '%s\\n' "$*" >> "$ASKED"
case "$*" in
"__complete ge") printf 'get\\tDisplay one or many resources\\n:4\\n' ;;
"__complete get ") printf 'pods\\nservices\\n:4\\n' ;;
"__complete get pod/a") printf 'pod/a:b\\npod/ax\\n:6\\n' ;;
"__complete cp web:") printf 'web:x\\nweb:y\\n:2\\n' ;;
"__complete get --namespace=ku") printf 'kube-system\\n:4\\n' ;;
"__complete apply -f ") printf 'json\\nyaml\\nyml\\n:8\\n' ;;
"__complete apply ") printf ':0\\n' ;;
*) printf ':1\\n' ;;
esac
`;

/** What bash has after the key for completion, one line each time. */
const ASK = `
ask() {
  COMP_LINE=$1 COMP_POINT=\${#1} COMP_TYPE=$2 options=
  compopt() { options+="$* "; }
  shift 2
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  __start_kubectl
  printf '%s|%s\\n' "$(IFS=,; echo "\${COMPREPLY[*]}")" "$options"
}
ask 'kubectl ge' 9 kubectl ge
ask 'kubectl get ' 9 kubectl get ''
ask 'kubectl get pod/a' 63 kubectl get pod/a
ask 'kubectl cp web:' 9 kubectl cp web : ''
ask 'kubectl get --namespace=ku' 9 kubectl get --namespace = ku
ask 'kubectl apply -f ' 9 kubectl apply -f ''
ask 'kubectl apply ' 9 kubectl apply ''
ask 'k get ' 9 k get ''
complete -p kubectl
`;

test("bash completes by asking the program, whatever breaks its words", async () => {
  await using home = tempDir("kubectl");
  mkdirSync(home.join("bin"));
  mkdirSync(home.join("files/below"), { recursive: true });
  for (const name of ["a.yaml", "b.txt", "c.json"]) writeFileSync(home.join("files", name), "");
  writeFileSync(home.join("bin/kubectl"), PROGRAM);
  chmodSync(home.join("bin/kubectl"), 0o755);
  const { stdout: script } = await kubectlHere(["completion", "bash"], { kubeconfig: "", home: home.path });
  const { status, stdout, stderr } = await runProgram(["bash", "--norc", "-c", script + ASK], {
    cwd: home.join("files"),
    env: { PATH: `${home.join("bin")}:${process.env["PATH"] ?? ""}`, ASKED: home.join("asked") },
  });
  deepEqual([status, stderr], [0, ""]);
  const [, , listed, copied, , files, , , ...rest] = stdout.split("\n");
  deepEqual(stdout.split("\n").slice(0, 2), ["get|+o default ", "pods,services|+o default "]);
  equal(listed, "pod/a:b,pod/ax|-o nospace +o default ");
  equal(copied, "x,y|-o nospace ");
  equal(stdout.split("\n")[4], "kube-system|+o default ");
  deepEqual(files?.split("|")[0]?.split(",").sort(), ["a.yaml", "below", "c.json"]);
  equal(stdout.split("\n")[6], "|");
  equal(stdout.split("\n")[7], "pods,services|+o default ");
  match(rest.join("\n"), /^complete -o default -F __start_kubectl kubectl/);
});

test("plugins are told of with what is wrong with them, and run with the words behind their names", async () => {
  await using home = tempDir("kubectl");
  mkdirSync(home.join("bin"));
  mkdirSync(home.join("more"));
  const plugin = (name: string, mode = 0o755): void => {
    writeFileSync(home.join(name), `#!/bin/sh\necho "\${0##*/} $*"; exit 7\n`);
    chmodSync(home.join(name), mode);
  };
  for (const name of [
    "bin/kubectl-foo",
    "bin/kubectl-foo-bar",
    "bin/kubectl-get",
    "more/kubectl-foo",
    "bin/kubectl-a_b",
  ])
    plugin(name);
  plugin("bin/kubectl-create-thing");
  plugin("bin/kubectl-not", 0o644);
  const env = { PATH: `${home.join("bin")}:${home.join("more")}:${home.join("none")}:/bin:/usr/bin` };
  const run = (...words: string[]) => kubectlHere(words, { kubeconfig: "", home: home.path, env });
  const listed = await run("plugin", "list", "--name-only");
  equal(listed.status, 1);
  match(
    listed.stdout,
    /^The following compatible plugins are available:\n\nkubectl-a_b\nkubectl-create-thing\nkubectl-foo\n/,
  );
  match(
    listed.stderr,
    /^Unable to read directory ".*none" from your PATH: open .*none: no such file or directory\. Skipping/m,
  );
  match(listed.stderr, /kubectl-get overwrites existing command: "kubectl get"/);
  match(listed.stderr, /kubectl-not identified as a kubectl plugin, but it is not executable/);
  match(listed.stderr, /more\/kubectl-foo is overshadowed by a similarly named plugin: .*bin\/kubectl-foo/);
  const told = [];
  for (const words of [["foo", "x", "-y"], ["foo", "bar", "baz"], ["a-b"], ["create", "thing", "-z"], ["not"]]) {
    const { status, stdout, stderr } = await run(...words);
    told.push([status, stdout, stderr.split("\n")[0]]);
  }
  deepEqual(told, [
    [7, "kubectl-foo x -y\n", ""],
    [7, "kubectl-foo-bar baz\n", ""],
    [7, "kubectl-a_b \n", ""],
    [7, "kubectl-create-thing -z\n", ""],
    [1, "", 'error: unknown command "not" for "kubectl"'],
  ]);
});
