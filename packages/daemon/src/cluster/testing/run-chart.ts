import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Cluster, cliProgram, runProgram } from "@boxship/testkit";

const container = (script: string): string =>
  `{name: main, image: "busybox:latest", imagePullPolicy: Never, command: [sh, -c, ${JSON.stringify(script)}]}`;

const hooked = (name: string, hook: string, more: string): string =>
  `  name: {{ .Release.Name }}-${name}\n  annotations: {helm.sh/hook: ${hook}, ${more}}\n`;

const FILES: Readonly<Record<string, string>> = {
  "Chart.yaml": "{apiVersion: v2, name: web, version: 1.0.0, appVersion: 1.10}",
  "values.yaml": "{word: one, breaks: false}",
  "templates/web.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: 1
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - ${container("echo {{ .Values.word }}; exec sleep 1000")}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{port: 80}]}
`,
  "templates/before.yaml": `apiVersion: batch/v1
kind: Job
metadata:
${hooked("before", '"pre-install,pre-upgrade"', 'helm.sh/hook-output-log-policy: "hook-succeeded,hook-failed", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"')}spec:
  backoffLimit: 0
  template: {spec: {restartPolicy: Never, terminationGracePeriodSeconds: 0, containers: [${container("echo prepared {{ .Values.word }}; exit {{ if .Values.breaks }}3{{ else }}0{{ end }}")}]}}
`,
  // It runs for a while before it ends: what runs has not passed.
  "templates/tests.yaml": `apiVersion: v1
kind: Pod
metadata:
${hooked("good", "test", "helm.sh/hook-delete-policy: hook-succeeded")}spec: {restartPolicy: Never, terminationGracePeriodSeconds: 0, initContainers: [{name: first, image: "busybox:latest", imagePullPolicy: Never, command: [echo, ready]}], containers: [${container("echo good")}]}
---
apiVersion: v1
kind: Pod
metadata:
${hooked("late", "test", 'helm.sh/hook-weight: "1"')}spec: {restartPolicy: Never, terminationGracePeriodSeconds: 0, containers: [${container("sleep 0.5; echo late; exit 1")}]}
`,
};

/** Installs a chart, runs its tests, fails to upgrade it and takes it away, by the command line. */
export async function runChart(cluster: Cluster): Promise<void> {
  const chart = join(cluster.home, "web");
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(chart, name)), { recursive: true });
    writeFileSync(join(chart, name), text);
  }
  const env = { KUBECONFIG: cluster.kubeconfig, HOME: cluster.home };
  const helm = (line: string) => runProgram([...cliProgram(), "helm", ...line.split(" ")], { env });

  const installed = await helm(`install shop ${chart} --wait --timeout 120s`);
  assert.equal(installed.status, 0, installed.stderr);
  assert.equal(installed.stderr, "prepared one\n");
  assert.equal((await cluster.tried(["get", "job", "shop-before"])).status, 1);
  assert.equal(await cluster.field("deployment/shop", "{.status.readyReplicas}"), "1");
  assert.match(
    (await helm("status shop")).stdout,
    /\nRESOURCES:\n==> v1\/Service\nNAME +TYPE +CLUSTER-IP[^\n]*\nshop +ClusterIP[^\n]+\n\n==> v1\/Deployment\nNAME +READY[^\n]*\nshop +1\/1[^\n]+\n\n==> v1\/Pod\(related\)\nNAME +READY[^\n]*\nshop-[a-z0-9-]+ +1\/1 +Running/,
  );

  const tested = await helm("test shop --logs --timeout 120s");
  assert.equal(tested.status, 1);
  assert.match(
    tested.stdout,
    /TEST SUITE: {5}shop-good\n.*\n.*\nPhase: {10}Succeeded\nTEST SUITE: {5}shop-late\n.*\n.*\nPhase: {10}Failed\n/,
  );
  assert.match(
    tested.stdout,
    /\nPOD LOGS: shop-good \(first\)\nready\n\nPOD LOGS: shop-good \(main\)\ngood\n\nPOD LOGS: shop-late \(main\)\nlate\n/,
  );
  assert.match(tested.stderr, /test hook web\/templates\/tests.yaml \(Pod shop-late\) failed/);
  assert.equal((await cluster.tried(["get", "pod", "shop-good"])).status, 1, "it passed, and goes");
  assert.equal(await cluster.field("pod/shop-late", "{.status.phase}"), "Failed", "it failed, and stays");
  assert.match((await helm("test shop --filter app=web")).stderr, /only name=TEST and !name=TEST are known/);

  const broken = await helm(`upgrade shop ${chart} --set word=two,breaks=true --timeout 120s`);
  assert.equal(broken.status, 1);
  assert.match(broken.stderr, /^prepared two\n/);
  assert.match(broken.stderr, /pre-upgrade hook web\/templates\/before.yaml \(Job shop-before\) failed/);
  const gone = await helm("uninstall shop --wait --timeout 120s");
  assert.equal(gone.status, 0, gone.stderr);
  assert.equal((await cluster.tried(["get", "deployment", "shop"])).status, 1);
  // Hooks are nobody's.
  await cluster.kube("delete", "job/shop-before", "pod/shop-late", "--now");
}
