import { deepEqual, equal, match, ok } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { writeFiles } from "../testing/chart-cases.ts";
import { type ReleaseServer, startReleaseServer } from "../testing/release-server.ts";

const CHART = new Map([
  ["web/Chart.yaml", "{apiVersion: v2, name: web, version: 1.0.0, appVersion: '2'}"],
  ["web/values.yaml", "{color: red, replicas: 1, second: true, hook: false}"],
  [
    "web/templates/all.yaml",
    `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-one}
data: {color: {{ .Values.color }}, revision: "{{ .Release.Revision }}", upgrade: "{{ .Release.IsUpgrade }}"}
---
{{- if .Values.second }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-two, annotations: {helm.sh/resource-policy: {{ .Values.policy | default "none" }}}}
{{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: main, image: "web:{{ .Values.color }}"}]}
`,
  ],
  [
    "web/templates/hook.yaml",
    `{{- if .Values.hook }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-hook
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "1", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: x}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-early, annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: "-1"}}
{{- end }}
---
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}-test, annotations: {helm.sh/hook: test}}
spec: {restartPolicy: Never, containers: [{name: main, image: x}]}
`,
  ],
  ["web/templates/NOTES.txt", "{{ .Release.Name }} is {{ .Values.color }}\n"],
  [
    "web/templates/lookup.yaml",
    '{{ with lookup "v1" "ConfigMap" "default" "seed" }}apiVersion: v1\nkind: Secret\nmetadata: {name: {{ $.Release.Name }}-found}\nstringData: {from: {{ .data.k }}}{{ end }}',
  ],
]);

describe("releases on the API server of this checkout", () => {
  let world: ReleaseServer;
  before(async () => {
    world = await startReleaseServer();
    writeFiles(world.home.path, CHART);
  });
  after(() => world[Symbol.asyncDispose]());

  const chart = () => world.home.join("web");
  const helm: ReleaseServer["helm"] = (...all) => world.helm(...all);
  const done: ReleaseServer["done"] = (...all) => world.done(...all);
  const call: ReleaseServer["call"] = (...all) => world.call(...all);
  const map = (name: string) => world.map(name);
  const deployment = (name: string) => world.deployment(name);
  const merge = (path: string, patch: unknown) => world.merge(path, patch);
  const statuses = (name: string) => world.statuses(name);

  /** Does a part of a controller's work: waits for an object and gives it a status. */
  async function whenThere(path: string, status: unknown): Promise<void> {
    const collection = path.slice(0, path.lastIndexOf("/"));
    const query = { fieldSelector: `metadata.name=${path.slice(path.lastIndexOf("/") + 1)}` };
    const api = await world.session.api();
    for await (const { type, object } of api.watch(collection, { query })) {
      if (type !== "ADDED" && type !== "MODIFIED") continue;
      // What ran before has its end already.
      if (JSON.stringify(object).includes('"phase":"Failed"')) continue;
      await merge(`${path}/status`, { status });
      return;
    }
  }

  /** What the controller of deployments tells; of images that are bad, that old pods serve in place of the new one. */
  async function runDeployments(signal: AbortSignal): Promise<void> {
    const collection = "/apis/apps/v1/namespaces/default/deployments";
    const api = await world.session.api();
    try {
      for await (const { object } of api.watch(collection, { signal })) {
        const { metadata, status } = object as {
          metadata: { name: string; generation: number };
          status?: { observedGeneration?: number };
        };
        if (status?.observedGeneration === metadata.generation) continue;
        const replicas = JSON.stringify(object).includes("web:bad") ? 2 : 1;
        const counts = { replicas, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
        await merge(`${collection}/${metadata.name}/status`, {
          status: { observedGeneration: metadata.generation, ...counts },
        });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  test("install, upgrade, rollback and uninstall", async () => {
    const text = await done(`install one ${chart()} --set color=blue`);
    match(
      text,
      /NAME: one\nLAST DEPLOYED: .+\nNAMESPACE: default\nSTATUS: deployed\nREVISION: 1\nDESCRIPTION: Install complete\nNOTES:\none is blue\n/,
    );
    const first = await map("one-one");
    deepEqual(first?.data, { color: "blue", revision: "1", upgrade: "false" });
    equal(first?.metadata.labels?.["app.kubernetes.io/managed-by"], "Helm");
    equal(first?.metadata.annotations?.["meta.helm.sh/release-name"], "one");

    match(
      (await helm(`install one ${chart()}`)).stderr,
      /INSTALLATION FAILED: cannot re-use a name that is still in use/,
    );

    // What somebody else has set stays; what the chart no longer has goes.
    await merge("/api/v1/namespaces/default/configmaps/one-one", { data: { other: "kept" } });
    await merge("/apis/apps/v1/namespaces/default/deployments/one", { spec: { replicas: 7 } });
    match(await done(`upgrade one ${chart()} --set second=false,color=green`), /has been upgraded. Happy Helming!/);
    deepEqual((await map("one-one"))?.data, { color: "green", revision: "2", upgrade: "true", other: "kept" });
    equal(await map("one-two"), undefined);
    equal((await deployment("one"))?.spec?.replicas, 1);
    equal((await deployment("one"))?.spec?.template?.spec.containers[0]?.image, "web:green");
    deepEqual(await statuses("one"), ["superseded", "deployed"]);

    const diff = await done(`diff one ${chart()} --set second=true,color=black`);
    match(
      diff,
      /--- ConfigMap\/one-one\n[^]*-data: \{color: green, revision: "2", upgrade: "true"\}\n\+data: \{color: black, revision: "3"/,
    );
    match(diff, /--- ConfigMap\/one-two\n\+\+\+ ConfigMap\/one-two\n@@ -1,0 \+1,\d+ @@\n(\+.*\n)+/);

    // Values of before hold where none are given.
    await done(`upgrade one ${chart()}`);
    equal((await map("one-one"))?.data?.["color"], "green");
    match(await done("get values one"), /^USER-SUPPLIED VALUES:\ncolor: green\nsecond: false\n$/);
    match(await done("get values one --all -o json"), /"replicas":1/);

    match(await done("rollback one 1"), /Rollback was a success/);
    equal((await map("one-one"))?.data?.["color"], "blue");
    ok((await map("one-two")) !== undefined);
    deepEqual(await statuses("one"), ["superseded", "superseded", "superseded", "deployed"]);
    match(await done("status one"), /DESCRIPTION: Rollback to 1\n/);
    match(await done("get manifest one --revision 2"), /color: green/);
    match(
      await done("list"),
      /NAME\s+NAMESPACE\s+REVISION\s+UPDATED\s+STATUS\s+CHART\s+APP VERSION\none\s+default\s+4\s+.+\s+deployed\s+web-1\.0\.0\s+2\s*\n/,
    );

    equal(await done("uninstall one"), 'release "one" uninstalled\n');
    equal(await map("one-one"), undefined);
    match((await helm("status one")).stderr, /release: not found/);
  });

  test("hooks run by weight and go when they should; tests tell what came of them", async () => {
    const hook = whenThere("/apis/batch/v1/namespaces/default/jobs/two-hook", {
      conditions: [
        { type: "Complete", status: "True" },
        { type: "SuccessCriteriaMet", status: "True" },
      ],
      startTime: "2026-01-01T00:00:00Z",
      completionTime: "2026-01-01T00:00:01Z",
      succeeded: 1,
    });
    await Promise.all([done(`install two ${chart()} --set hook=true`), hook]);
    equal(await call("GET", "/apis/batch/v1/namespaces/default/jobs/two-hook"), undefined);
    ok((await map("two-early")) !== undefined);
    const failing = whenThere("/api/v1/namespaces/default/pods/two-test", { phase: "Failed", message: "no answer" });
    const [ran] = await Promise.all([helm("test two"), failing]);
    equal(ran.status, 1);
    match(ran.stdout, /TEST SUITE: {5}two-test\n.*\n.*\nPhase: {10}Failed/);
    match(ran.stderr, /no answer/);
    const passing = whenThere("/api/v1/namespaces/default/pods/two-test", { phase: "Succeeded" });
    match((await Promise.all([done("test two --filter name=two-test"), passing]))[0], /Phase: {10}Succeeded/);
    await done("uninstall two --keep-history");
    deepEqual(await statuses("two"), ["uninstalled"]);
    equal(await done("uninstall two"), 'release "two" uninstalled\n');
  });

  test("what is somebody else's is not touched, unless that is asked for", async () => {
    await call("POST", "/api/v1/namespaces/default/configmaps", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "three-one" },
    });
    const refused = await helm(`install three ${chart()}`);
    match(
      refused.stderr,
      /ConfigMap "three-one" in namespace "default" exists and cannot be imported into the current release: invalid ownership metadata; missing key/,
    );
    equal(await deployment("three"), undefined);
    await done(`install three ${chart()} --take-ownership --set policy=keep --server-side`);
    match(
      await done("uninstall three"),
      /These resources were kept due to the resource policy:\n\[ConfigMap\] three-two\n/,
    );
    ok((await map("three-two")) !== undefined);
  });

  test("lookup asks the cluster; nothing is written by a dry run", async () => {
    await call("POST", "/api/v1/namespaces/default/configmaps", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "seed" },
      data: { k: "v7" },
    });
    match(await done(`install dry ${chart()} --dry-run=server`), /MANIFEST:[^]*name: dry-found[^]*from: v7/);
    const shown = await done(`diff dry ${chart()}`);
    match(shown, /\+\+\+ Secret\/dry-found\n[^]*\n\+ {2}from: .*hidden, [\da-f]{8}/);
    ok(!shown.includes("v7"), shown);
    match(await done(`diff dry ${chart()} --show-secrets`), /from: v7/);
    match((await helm("status dry")).stderr, /not found/);
    const wrong = await helm(`install dry ${chart()} -o yml`);
    equal(wrong.stderr, 'Error: invalid argument "yml" for "-o, --output" flag: invalid format type\n');
    match((await helm("status dry")).stderr, /not found/);
  });

  test("waiting ends when all is ready, and a failure is undone where that was asked for", async () => {
    const ended = new AbortController();
    const controller = runDeployments(ended.signal);
    await done(`install four ${chart()} --wait --timeout 60s`);
    const failed = await helm(`upgrade four ${chart()} --set color=bad --atomic --timeout 3s`);
    ended.abort();
    await controller;
    equal(failed.status, 1);
    match(failed.stderr, /UPGRADE FAILED: timed out .* Deployment default\/four: 1 old replicas are not replaced yet/);
    deepEqual(await statuses("four"), ["superseded", "failed", "deployed"]);
    equal((await map("four-one"))?.data?.["color"], "red");
  });

  test("a release that is too large for a Secret is cut, and read again", async () => {
    const noise = Array.from({ length: 100_000 }, (_, at) => Math.sin(at).toString(36)).join("\n");
    writeFiles(
      world.home.path,
      new Map([
        ["large/Chart.yaml", "{apiVersion: v2, name: large, version: 1.0.0}"],
        ["large/noise.txt", noise],
      ]),
    );
    const pieces = async (): Promise<number> => {
      const path = "/api/v1/namespaces/default/secrets?labelSelector=boxship.dev/chunk-of";
      return ((await call("GET", path)) as unknown as { readonly items: readonly unknown[] }).items.length;
    };
    await done(`install large ${world.home.join("large")}`);
    equal(await pieces(), 1, "those of before it was deployed are gone");
    match(await done("status large"), /STATUS: deployed/);
    await done("uninstall large");
    equal(await pieces(), 0);
  });

  test("a command that is killed leaves a release that the next one takes over", async () => {
    const script = new URL("../testing/run-helm-process.ts", import.meta.url).pathname;
    const seen = new Set<string>();
    const kill = async (line: string, path: string): Promise<void> => {
      const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, ...line.split(" ")], {
        env: { ...process.env, KUBECONFIG: world.server.kubeconfig },
        stdio: "ignore",
      });
      const gone = once(child, "exit");
      // Dead in the middle: its hook is there, and nobody completes it.
      const api = await world.session.api();
      const query = { fieldSelector: `metadata.name=${path.slice(path.lastIndexOf("/") + 1)}` };
      for await (const { type, object } of api.watch(path.slice(0, path.lastIndexOf("/")), { query })) {
        const { uid } = (object as { readonly metadata: { readonly uid: string } }).metadata;
        if (type !== "ADDED" || seen.has(uid)) continue;
        seen.add(uid);
        break;
      }
      const other = await helm(`upgrade five ${chart()} --install`);
      match(other.stderr, /another operation .* is in progress on release five/);
      child.kill("SIGKILL");
      await gone;
    };
    const job = "/apis/batch/v1/namespaces/default/jobs/five-hook";
    await kill(`install five ${chart()} --set hook=true,color=dead`, job);
    match(await done("status five"), /STATUS: pending-install/);
    // What the one that died was given is gone.
    const resumed = await helm(`install five ${chart()}`);
    equal(resumed.status, 0, resumed.stderr);
    match(resumed.stderr, /revision 1 was interrupted while pending-install/);
    deepEqual(await statuses("five"), ["failed", "deployed"]);
    await call("DELETE", job);
    await kill(`upgrade five ${chart()} --set hook=true,color=dead`, job);
    await done("rollback five 2");
    deepEqual(await statuses("five"), ["failed", "superseded", "failed", "deployed"]);
    equal((await map("five-one"))?.data?.["color"], "red");
  });
});
