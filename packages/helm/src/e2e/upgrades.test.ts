import { deepEqual, equal, match, ok } from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { writeFiles } from "../testing/chart-cases.ts";
import { type ReleaseServer, startReleaseServer } from "../testing/release-server.ts";

const version = (name: string, storage: boolean, more = "") =>
  `{name: ${name}, served: true, storage: ${storage}, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}${more}}}}}}}`;

const definition = (versions: readonly string[], scope = "Namespaced") => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.sea.example.com}
spec:
  group: sea.example.com
  scope: ${scope}
  names: {kind: Boat, plural: boats}
  versions: [${versions.join(", ")}]
`;

const CHART = new Map([
  ["web/Chart.yaml", "{apiVersion: v2, name: web, version: 1.0.0}"],
  ["web/values.yaml", "{color: red, more: false, bad: false}"],
  [
    "web/templates/all.yaml",
    `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {color: {{ .Values.color }}}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-keys}
stringData: {key: quiet}
{{- if .Values.more }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-more}
{{- end }}
{{- if .Values.bad }}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {ports: [{port: 99999}]}
{{- end }}
`,
  ],
]);

describe("changes of what is in a cluster", () => {
  let world: ReleaseServer;
  before(async () => {
    world = await startReleaseServer();
    writeFiles(world.home.path, CHART);
  });
  after(() => world[Symbol.asyncDispose]());

  const chart = () => world.home.join("web");

  test("definitions change after a preview, and not where stored objects could no longer be read", async () => {
    const { done, helm, home, call, session } = world;
    const write = (text: string) =>
      writeFiles(
        home.path,
        new Map([
          ["sea/Chart.yaml", "{apiVersion: v2, name: sea, version: 1.0.0}"],
          ["sea/crds/boats.yaml", text],
        ]),
      );
    const stored = async (): Promise<unknown> => {
      const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/boats.sea.example.com";
      return ((await call("GET", path)) as unknown as { status: { storedVersions: unknown } }).status.storedVersions;
    };
    const sea = home.join("sea");
    write(definition([version("v1alpha1", true)]));
    match(
      await done(`crds diff ${sea}`),
      /^boats\.sea\.example\.com is made\n--- CustomResourceDefinition[^]*\+ {2}scope: Namespaced/,
    );
    await done(`install sea ${sea}`);
    match(await done(`crds diff ${sea}`), /^boats\.sea\.example\.com stays as it is\n$/);
    const boats = "/apis/sea.example.com/v1alpha1/namespaces/default/boats";
    await call("POST", boats, {
      apiVersion: "sea.example.com/v1alpha1",
      kind: "Boat",
      metadata: { name: "a" },
      spec: { size: 1 },
    });

    // A version is added: nothing is lost, but an ordinary upgrade still changes no definition.
    write(definition([version("v1alpha1", false), version("v1", true, ", color: {type: string}")]));
    await done(`upgrade sea ${sea}`);
    deepEqual(await stored(), ["v1alpha1"]);
    const preview = await done(`crds diff ${sea}`);
    match(
      preview,
      /is changed\n {2}note: objects are stored in v1 instead of v1alpha1 when they are written next\n {2}note: the cluster has 1 object of it\n/,
    );
    match(preview, /\+ +color:/);
    deepEqual(await stored(), ["v1alpha1"]);
    equal(await done(`crds upgrade ${sea}`), "1 of 1 definitions were made or changed\n");
    deepEqual(await stored(), ["v1alpha1", "v1"]);
    equal(await done(`crds upgrade ${sea}`), "0 of 1 definitions were made or changed\n");

    // The old version may hold objects: it must not go.
    write(definition([version("v1", true)]));
    const lost = await helm(`upgrade sea ${sea} --upgrade-crds`);
    equal(lost.status, 1);
    match(
      lost.stderr,
      /boats\.sea\.example\.com CANNOT BE CHANGED\n {2}problem: objects may be stored in version v1alpha1, which/,
    );
    match(lost.stderr, /Hint: for stored versions, write all objects anew/);
    deepEqual(await world.statuses("sea"), ["superseded", "deployed"]);
    write(definition([version("v1", true), version("v1alpha1", false)], "Cluster"));
    match(
      (await helm(`crds upgrade ${sea}`)).stderr,
      /spec\.scope cannot be changed: it is "Namespaced", the chart has "Cluster"/,
    );
    write(definition([version("v1", true), version("v1alpha1", true)]));
    match((await helm(`crds upgrade ${sea}`)).stderr, /problem: the server refuses it: .*storage/);

    // Written anew and taken from the list, it may.
    await call("PUT", `${boats}/a`, { ...(await call("GET", `${boats}/a`)) });
    const api = await session.api();
    await api.call("PATCH", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/boats.sea.example.com/status", {
      body: { status: { storedVersions: ["v1"] } },
      contentType: "application/merge-patch+json",
    });
    write(definition([version("v1", true)]));
    await done(`upgrade sea ${sea} --upgrade-crds`);
    deepEqual(await stored(), ["v1"]);
    equal((await call("GET", "/apis/sea.example.com/v1/namespaces/default/boats/a"))?.spec !== undefined, true);
  });

  test("with force, objects are replaced with what others have set in them", async () => {
    const { done, helm, merge, map } = world;
    await done(`install force ${chart()}`);
    const path = "/api/v1/namespaces/default/configmaps/force";
    await merge(path, { data: { other: "x" } });
    await done(`upgrade force ${chart()} --set color=blue`);
    deepEqual((await map("force"))?.data, { color: "blue", other: "x" });
    await done(`upgrade force ${chart()} --set color=blue --force-replace`);
    deepEqual((await map("force"))?.data, { color: "blue" });
    await merge(path, { data: { other: "x" } });
    await done("rollback force 1 --force");
    deepEqual((await map("force"))?.data, { color: "red" });
    match(
      (await helm(`upgrade force ${chart()} --force --server-side`)).stderr,
      /cannot use server-side apply and force replace/,
    );
  });

  test("what a failed upgrade has made goes where that was asked for", async () => {
    const { done, helm, map, statuses } = world;
    await done(`install clean ${chart()}`);
    equal((await helm(`upgrade clean ${chart()} --set more=true,bad=true`)).status, 1);
    ok((await map("clean-more")) !== undefined);
    await done(`rollback clean 1`);
    equal(await map("clean-more"), undefined);
    const failed = await helm(`upgrade clean ${chart()} --set more=true,bad=true --cleanup-on-fail`);
    match(failed.stderr, /deleting the 1 objects that it has made/);
    equal(await map("clean-more"), undefined);
    deepEqual(await statuses("clean"), ["superseded", "failed", "deployed", "failed"]);
  });

  /** What a release's Secret holds, as Helm unpacks it. */
  const kept = async (name: string, revision: number): Promise<Record<string, unknown>> => {
    const secret = await world.call(
      "GET",
      `/api/v1/namespaces/default/secrets/sh.helm.release.v1.${name}.v${revision}`,
    );
    const text = Buffer.from(secret?.data?.["release"] ?? "", "base64").toString();
    return JSON.parse(gunzipSync(Buffer.from(text, "base64")).toString()) as Record<string, unknown>;
  };

  test("a release is kept with Helm's fields, each of its type", async () => {
    const { done, helm, home, merge, call } = world;
    const metadata = `apiVersion: v2
name: typed
version: 1.0.0
appVersion: 1.10
deprecated: false
keywords: [1, two]
annotations: {number: 1, truth: true}
maintainers: [{name: me, email: null, other: x}]
icon: null
unknown: {a: 1}
dependencies: [{name: sub, version: 1.x, repository: "", tags: [1], condition: sub.enabled}]
`;
    const hook = 'annotations: {helm.sh/hook: post-install, helm.sh/hook-output-log-policy: "hook-failed"}';
    writeFiles(
      home.path,
      new Map([
        ["typed/Chart.yaml", metadata],
        [
          "typed/Chart.lock",
          "dependencies: [{name: sub, version: 1.0.0, repository: ''}]\ndigest: sha256:0\ngenerated: '2026-01-02T03:04:05+01:00'\n",
        ],
        ["typed/charts/sub/Chart.yaml", "{apiVersion: v2, name: sub, version: 1.0.0}"],
        ["typed/values.yaml", "{color: red, old: 1}"],
        [
          "typed/templates/a.yaml",
          "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: typed}\ndata: {color: {{ .Values.color }}}\n",
        ],
        ["typed/templates/hook.yaml", `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: typed-hook, ${hook}}\n`],
      ]),
    );
    const typed = home.join("typed");
    await done(`install typed ${typed} --labels team=a,other=b --description first`);
    const release = await kept("typed", 1);
    const { metadata: noted, lock } = release["chart"] as Record<string, unknown>;
    deepEqual(noted, {
      name: "typed",
      version: "1.0.0",
      apiVersion: "v2",
      appVersion: "1.1",
      keywords: ["1", "two"],
      maintainers: [{ name: "me" }],
      annotations: { number: "1", truth: "true" },
      dependencies: [{ name: "sub", version: "1.x", repository: "", tags: ["1"], condition: "sub.enabled" }],
    });
    deepEqual(lock, {
      generated: "2026-01-02T02:04:05.000Z",
      digest: "sha256:0",
      dependencies: [{ name: "sub", version: "1.0.0", repository: "" }],
    });
    equal(release["apply_method"], "csa");
    deepEqual((release["hooks"] as readonly { output_log_policies?: unknown }[])[0]?.output_log_policies, [
      "hook-failed",
    ]);
    match(
      await done("get metadata typed"),
      /^NAME: typed\nCHART: typed\nVERSION: 1\.0\.0\nAPP_VERSION: 1\.1\nANNOTATIONS: number=1,truth=true\nLABELS: other=b,team=a\nDEPENDENCIES: sub\nNAMESPACE: default\nREVISION: 1\nSTATUS: deployed\nDEPLOYED_AT: [\dT:-]+Z\nAPPLY_METHOD: client-side apply\n$/,
    );

    // Labels go on to the next revision; what the client had set is the server's side's from then on.
    await done(`upgrade typed ${typed} --set color=blue --server-side --labels other=null,third=c`);
    match(await done("get metadata typed"), /LABELS: team=a,third=c\n[^]*APPLY_METHOD: server-side apply\n$/);
    await done(`upgrade typed ${typed} --set color=green`);
    equal((await kept("typed", 3))["apply_method"], "ssa");
    const path = "/api/v1/namespaces/default/configmaps/typed";
    await merge(path, { data: { color: "mine" } });
    match((await helm(`upgrade typed ${typed} --set color=black`)).stderr, /conflict/);
    await done(`upgrade typed ${typed} --set color=black --force-conflicts`);
    equal((await call("GET", path))?.data?.["color"], "black");

    // Defaults of before hold where values are reused, and are nobody's values for that.
    writeFiles(home.path, new Map([["typed/values.yaml", "{color: red, old: 2, fresh: 3}"]]));
    await done(`upgrade typed ${typed} --reuse-values --set more=1`);
    deepEqual((await kept("typed", 6))["config"], { color: "black", more: 1 });
    match(await done("get values typed --all -o json"), /"old":1/);
    await done(`upgrade typed ${typed} --reset-then-reuse-values --set more=2`);
    deepEqual((await kept("typed", 7))["config"], { color: "black", more: 2 });
    match(await done("get values typed --all -o json"), /"old":2,.*"fresh":3|"fresh":3,.*"old":2/);

    match((await helm("get notes typed -o json")).stderr, /unknown shorthand flag: 'o'/);
    await done("uninstall typed --keep-history");
    match(await done("list --time-format 2006"), /^typed\s+default\s+7\s+20\d\d\s+uninstalled/m);
    equal(await done("list -q --deployed -f ^typed$"), "");
    await done("uninstall typed");
  });

  test("fields that the cluster does not know are refused, unless nobody looks", async () => {
    const { done, helm, home, map } = world;
    writeFiles(
      home.path,
      new Map([
        ["odd/Chart.yaml", "{apiVersion: v2, name: odd, version: 1.0.0}"],
        ["odd/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\nspecs: {a: b}\n"],
      ]),
    );
    match((await helm(`install odd ${home.join("odd")}`)).stderr, /unknown field "specs"/);
    await done(`install odd ${home.join("odd")} --disable-openapi-validation`);
    ok((await map("odd")) !== undefined);
    await done("uninstall odd");
  });

  test("releases are kept in ConfigMaps where the driver says so, and chosen by their labels", async () => {
    const { done, map } = world;
    const env = { HELM_DRIVER: "configmap" };
    await done(`install shelf ${chart()} --labels team=a`, env);
    equal((await map("sh.helm.release.v1.shelf.v1"))?.metadata.labels?.["owner"], "helm");
    match(await done("status shelf", env), /STATUS: deployed/);
    equal(await done("list -q -l team=a", env), "shelf\n");
    equal(await done("list -q -l team=b", env), "");
    ok(!(await done("list -q")).includes("shelf"));
    await done("uninstall shelf", env);
  });

  test("a dry run may hide secrets, and a template may ask the cluster", async () => {
    const { done, helm, home } = world;
    const shown = await done(`install dry ${chart()} --dry-run --hide-secret`);
    match(shown, /# HIDDEN: The Secret output has been suppressed/);
    ok(!shown.includes("quiet"));
    match((await helm(`install dry ${chart()} --hide-secret`)).stderr, /requires a dry-run mode/);
    writeFiles(
      home.path,
      new Map([
        ["ask/Chart.yaml", "{apiVersion: v2, name: ask, version: 1.0.0}"],
        ["ask/values.yaml", "kind: ConfigMap\n"],
        [
          "ask/templates/a.yaml",
          'apiVersion: v1\nkind: {{ .Values.kind }}\nmetadata: {name: a}\ndata: {found: {{ lookup "v1" "Namespace" "" "default" | dig "metadata" "name" "none" }}}\n',
        ],
      ]),
    );
    const ask = home.join("ask");
    match(await done(`template r ${ask}`), /found: none/);
    match(await done(`template r ${ask} --validate`), /found: default/);
    match(
      (await helm(`template r ${ask} --dry-run=server --set kind=Ship`)).stderr,
      /no matches for kind "Ship" in version "v1"/,
    );
  });
});
