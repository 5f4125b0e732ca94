import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { test } from "node:test";
import { runKubectl } from "@boxship/kubectl";
import { kubernetesProgram, type Ran, runProgram, startApiServer, tempDir } from "@boxship/testkit";
import { buildKustomization } from "../build.ts";

const program = kubernetesProgram("kubectl");

const FILES = {
  "kustomization.yaml": "namePrefix: x-\nresources: [all.yaml]\nconfigMapGenerator: [{name: made, literals: [a=b]}]\n",
  "all.yaml":
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n",
};

test("verbs of kubectl work on kustomizations, and the real one agrees with what they did", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(tempDir("kustomize"));
  for (const [name, text] of Object.entries(FILES)) await writeFile(folder.join(name), text);
  const server = stack.use(await startApiServer());
  const k = async (line: string): Promise<Ran> => {
    const texts = { stdout: "", stderr: "" };
    const sink = (name: keyof typeof texts) => ({ write: (text: string) => void (texts[name] += text) });
    const status = await runKubectl(line.split(" "), {
      stdin: Readable.from([]),
      stdout: sink("stdout"),
      stderr: sink("stderr"),
      env: { PATH: process.env["PATH"], KUBECONFIG: server.kubeconfig, HOME: folder.path },
      run: (name, words) => runProgram([name, ...words]),
      kustomize: (path, options) => buildKustomization(path, { ...options, helm: undefined }),
    });
    return { status, ...texts };
  };
  const dir = folder.path;

  const applied = await k(`apply -k ${dir}`);
  assert.equal(applied.stderr, "");
  // As they were given: who applies does not want another order.
  const made = /^service\/x-web created\nnamespace\/ns created\nconfigmap\/(x-made-[a-z0-9]{10}) created\n$/.exec(
    applied.stdout,
  );
  assert.ok(made, applied.stdout);
  assert.match((await k(`get -k ${dir} -o name`)).stdout, /^service\/x-web\nnamespace\/ns\nconfigmap\/x-made-/);
  assert.deepEqual(await k(`diff -k ${dir}`), { status: 0, stdout: "", stderr: "" });
  assert.match((await k(`apply -k ${dir}`)).stdout, /service\/x-web unchanged/);
  assert.match((await k(`create -k ${dir}`)).stderr, /services "x-web" already exists/);
  if (program !== undefined) {
    const env = { KUBECONFIG: server.kubeconfig, HOME: dir };
    const real = async (...words: readonly string[]): Promise<string> =>
      (await runProgram([program, ...words], { env })).stdout;
    assert.equal(await real("diff", "-k", dir), "");
    assert.equal(await real("kustomize", dir), (await k(`kustomize ${dir}`)).stdout);
  }
  assert.match((await k(`replace -k ${dir}`)).stdout, /service\/x-web replaced\n/);
  assert.match((await k(`delete -k ${dir} --wait=false`)).stdout, /configmap "x-made-[a-z0-9]{10}" deleted/);
  assert.match((await k(`apply -k ${dir} -f x`)).stderr, /only one of -f or -k can be specified/);
  assert.match((await k(`apply -k ${dir}/none`)).stderr, /^error: must build at directory: not a valid directory/);
});
