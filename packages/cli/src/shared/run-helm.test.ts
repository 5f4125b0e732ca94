import { deepEqual, equal, match, ok } from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, describe, test } from "node:test";
import { runHelm } from "@boxship/helm";
import { runKustomize } from "@boxship/kustomize";
import {
  kubernetesProgram,
  repositoryRoot,
  runProgram as runTestProgram,
  type TempDir,
  tempDir,
} from "@boxship/testkit";
import { helmFor } from "./run-helm.ts";
import { runProgram } from "./run-program.ts";

const kubectl = kubernetesProgram("kubectl");

const FILES = {
  "charts/web/Chart.yaml": "{apiVersion: v2, name: web, version: 1.2.3}",
  "charts/web/values.yaml": "color: red\nlist: [1, 2]\nmap: {one: 1, two: 2}\n",
  "charts/web/crds/crd.yaml":
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: boats.sea.example.com}\nspec: {group: sea.example.com, scope: Cluster, names: {kind: Boat, plural: boats}, versions: []}\n",
  "charts/web/templates/all.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-web", namespace: "{{ .Release.Namespace }}"}
data:
  values: {{ toJson .Values | quote }}
  version: {{ .Capabilities.KubeVersion.Version | quote }}
  has: {{ .Capabilities.APIVersions.Has "sea.example.com/v1" | quote }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  template:
    spec:
      containers: [{name: web, image: "web:1", envFrom: [{configMapRef: {name: "{{ .Release.Name }}-web"}}]}]
`,
  "charts/web/templates/hook.yaml":
    "apiVersion: v1\nkind: Pod\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: probe, annotations: {helm.sh/hook: test}}\n",
  "extra.yaml": "color: blue\nextra: yes\n",
  "home/sea/Chart.yaml": "{apiVersion: v2, name: sea, version: 1.0.0}",
  "home/sea/values.yaml": "{}",
  "home/sea/templates/a.yaml":
    "{apiVersion: v1, kind: Secret, metadata: {name: sea, namespace: {{ .Release.Namespace }}}}",
};

const ALL = `namePrefix: x-
namespace: shop
images: [{name: web, newTag: "2"}]
helmCharts:
- name: web
  releaseName: one
  namespace: inner
  includeCRDs: true
  skipTests: true
  kubeVersion: v1.20.0
  apiVersions: [sea.example.com/v1]
  additionalValuesFiles: [extra.yaml]
- name: web
  releaseName: two
  skipHooks: true
  valuesInline: {color: green, list: [3], map: {one: null, three: 3}, more: {a: null}}
- name: web
  releaseName: three
  skipHooks: true
  valuesMerge: merge
  valuesInline: {color: green, more: 1, map: {three: 3, one: null}}
- name: web
  releaseName: four
  skipHooks: true
  valuesMerge: replace
  valuesInline: {only: 1}
generators: [generator.yaml]
`;

const GENERATOR = `apiVersion: builtin
kind: HelmChartInflationGenerator
metadata: {name: any}
name: sea
releaseName: sea
chartHome: home
namespace: deep
`;

describe("charts in kustomizations", () => {
  const stack = new AsyncDisposableStack();
  let folder: TempDir;
  const put = (files: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(folder.join(name)), { recursive: true });
      writeFileSync(folder.join(name), text);
    }
  };
  before(() => {
    folder = stack.use(tempDir("charts"));
    put(FILES);
    // Helm as a program, for kubectl: this one.
    const program = `${repositoryRoot}/packages/helm/src/testing/run-helm-process.ts`;
    put({
      helm: `#!/bin/sh\n[ "$1" != version ] || { echo v3.14.0; exit 0; }\nexec ${process.execPath} --disable-warning=ExperimentalWarning ${program} "$@"\n`,
      fails: '#!/bin/sh\n[ "$1" != version ] || { echo v3.14.0; exit 0; }\necho because >&2\nexit 3\n',
    });
    for (const name of ["helm", "fails"]) chmodSync(folder.join(name), 0o755);
  });
  after(() => stack.disposeAsync());

  const ours = async (...words: readonly string[]) => {
    const texts = { stdout: "", stderr: "" };
    const sink = (name: keyof typeof texts) => ({ write: (text: string) => void (texts[name] += text) });
    const io = {
      stdout: sink("stdout"),
      stderr: sink("stderr"),
      directory: folder.path,
      run: runProgram,
      helm: helmFor,
    };
    return { status: await runKustomize(["build", ...words, folder.path], io), ...texts };
  };
  const original = (command: string, ...words: readonly string[]) =>
    runTestProgram(
      [kubectl ?? "", "kustomize", "--enable-helm", "--helm-command", folder.join(command), ...words, folder.path],
      // It leaves its folders behind when it fails.
      { env: { ...process.env, TMPDIR: folder.path } },
    );

  test("they come out as kubectl brings them out, byte by byte", { skip: kubectl === undefined }, async () => {
    put({ "kustomization.yaml": ALL, "generator.yaml": GENERATOR });
    const wanted = await original("helm");
    equal(wanted.status, 0, wanted.stderr);
    const got = await ours("--enable-helm");
    deepEqual([got.status, got.stderr], [0, ""]);
    equal(got.stdout, wanted.stdout);
    // What it is made of, so that not both are wrong in the same way.
    match(got.stdout, /name: boats\.sea\.example\.com/);
    match(
      got.stdout,
      /values: '\{"color":"blue","extra":true,"list":\[1,2\],"map":\{"one":1,"two":2\}\}'\n {2}version: v1\.20\.0/,
    );
    match(got.stdout, /values: '\{"color":"green","list":\[3\],"map":\{"one":1,"three":3,"two":2\},"more":\{\}/);
    match(got.stdout, /name: x-two-web/);
    match(got.stdout, /image: web:2/);
    match(got.stdout, /name: x-one-web\n {2}namespace: inner/);
    const flags = ["--helm-kube-version", "v1.33.0", "--helm-api-versions", "sea.example.com/v1,b/v1"];
    put({ "kustomization.yaml": "helmCharts: [{name: web, releaseName: one}]\n" });
    const [flagged, there] = [await ours("--enable-helm", ...flags), await original("helm", ...flags)];
    equal(flagged.stdout, there.stdout);
    match(flagged.stdout, /has: "true"\n[^]*version: v1\.33\.0/);
  });

  test("failures are in kubectl's words", { skip: kubectl === undefined }, async () => {
    const cases = [
      "helmCharts: [{name: web, valuesMerge: bad}]",
      "helmCharts: [{name: '', repo: x}]",
      "helmCharts: [{name: none}]",
      "helmCharts: [{name: web, valuesFile: none.yaml}]",
      "helmCharts: [{name: web, additionalValuesFiles: [none.yaml]}]",
      "helmGlobals: {chartHome: ../elsewhere}\nhelmCharts: [{name: web, valuesFile: ../other.yaml}]",
      "generators: [generator.yaml]",
      "helmCharts: [{name: web, releaseName: a}]",
    ];
    put({ "generator.yaml": `${GENERATOR}valuesMerge: none\n` });
    for (const text of cases) {
      put({ "kustomization.yaml": `${text}\n` });
      const [got, wanted] = [
        await ours("--enable-helm", "--helm-command", folder.join("fails")),
        await original("fails"),
      ];
      const plain = (line: string) =>
        line
          .replace(/^(error|Error): /, "")
          .trimEnd()
          .replaceAll(/[\w/.-]*\/(kustomize|boxship)-helm-\w+/g, "TMP");
      deepEqual([got.status, plain(got.stderr)], [1, plain(wanted.stderr)], text);
    }
    put({ "kustomization.yaml": "helmCharts: [{name: web}]\n" });
    match((await ours()).stderr, /must specify --enable-helm/);
  });

  test("a chart that is not there is fetched, each version to a place of its own", async () => {
    const repository = folder.join("repository");
    const { createServer } = await import("node:http");
    const server = createServer((request, response) => {
      const path = `${repository}${request.url}`;
      response.writeHead(existsSync(path) ? 200 : 404).end(existsSync(path) ? readFileSync(path) : "");
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    try {
      const sink = { write: () => undefined };
      const io = { stdin: process.stdin, stdout: sink, stderr: sink, env: {} };
      equal(await runHelm(["package", folder.join("charts/web"), "-d", repository], io), 0);
      equal(await runHelm(["repo", "index", repository], io), 0);
      const address = server.address();
      ok(address !== null && typeof address === "object");
      const repo = `http://127.0.0.1:${address.port}`;
      put({
        "kustomization.yaml": `helmGlobals: {chartHome: fetched}\nhelmCharts: [{name: web, version: 1.2.3, repo: "${repo}", releaseName: far, skipHooks: true}]\n`,
      });
      const { status, stdout, stderr } = await ours("--enable-helm");
      deepEqual([status, stderr], [0, ""]);
      match(stdout, /name: far-web/);
      ok(existsSync(folder.join("fetched/web-1.2.3/web/Chart.yaml")));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
