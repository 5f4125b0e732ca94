import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openMemoryStore } from "@boxship/store";

import { type Answer, type ApiUnderTest, type Loose, startApi } from "../testing/api-under-test.ts";

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

describe("who manages which fields", () => {
  let api: ApiUnderTest;
  const store = openMemoryStore();
  before(async () => {
    api = await startApi({ store });
  });
  after(() => api?.[Symbol.asyncDispose]());

  const map = (name: string, data: object, annotations?: object) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, ...(annotations && { annotations }) },
    data,
  });
  const apply = (path: string, body: unknown, manager: string, query = ""): Promise<Answer> =>
    api.call("PATCH", `${path}?fieldManager=${manager}${query}`, {
      body,
      headers: { "content-type": "application/apply-patch+yaml" },
    });
  const patch = (path: string, body: unknown, type = "merge-patch", query = ""): Promise<Answer> =>
    api.call("PATCH", `${path}${query}`, { body, headers: { "content-type": `application/${type}+json` } });
  const managers = async (path: string): Promise<Loose> =>
    ((await api.call("GET", path)).json.metadata.managedFields ?? []).map((one: Loose) => [
      one.manager,
      one.operation,
      ...(one.subresource === undefined ? [] : [one.subresource]),
      one.fieldsV1,
    ]);

  test("an object whose managers were cleared has none until somebody applies", async () => {
    for (const cleared of [[], [{}]]) {
      const path = `${CONFIG_MAPS}/cleared-${cleared.length}`;
      await api.call("POST", CONFIG_MAPS, { body: map(`cleared-${cleared.length}`, { x: "1" }) });
      await patch(path, { metadata: { managedFields: [{ manager: "odd" }] } });
      assert.equal((await managers(path)).length, 1, "who sends broken entries does not understand them");
      assert.equal((await patch(path, { metadata: { managedFields: cleared }, data: { y: "2" } })).status, 200);
      await patch(path, { data: { z: "3" } });
      assert.deepEqual(await managers(path), []);
      const refused = await apply(path, map(`cleared-${cleared.length}`, { x: "2" }), "me");
      assert.match(refused.json.message, /1 conflict: conflict with "before-first-apply" using v1: .data.x$/);
      await apply(path, map(`cleared-${cleared.length}`, { x: "2" }), "me", "&force=true");
      assert.deepEqual(await managers(path), [
        ["me", "Apply", { "f:data": { "f:x": {} } }],
        ["before-first-apply", "Update", { "f:data": { ".": {}, "f:y": {}, "f:z": {} } }],
      ]);
    }
  });

  test("kubectl takes over what its own apply has set, and keeps that apply's notes", async () => {
    const path = `${CONFIG_MAPS}/upgraded`;
    const last = JSON.stringify(map("upgraded", { x: "1", y: "1" }));
    await api.call("POST", `${CONFIG_MAPS}?fieldManager=kubectl-client-side-apply`, {
      body: map("upgraded", { x: "1", y: "1" }, { [LAST_APPLIED]: last }),
    });
    await patch(path, { data: { y: "other" } }, "merge-patch", "?fieldManager=else");
    const wanted = map("upgraded", { x: "2", y: "2" });
    const refused = await apply(path, wanted, "kubectl");
    assert.match(refused.json.message, /^Apply failed with 1 conflict: conflict with "else" using v1: .data.y$/);
    assert.match((await apply(path, wanted, "me")).json.message, /2 conflicts/);
    const applied = await apply(path, map("upgraded", { x: "2" }), "kubectl");
    assert.deepEqual(applied.json.data, { x: "2", y: "other" });
    assert.equal(
      applied.json.metadata.annotations[LAST_APPLIED],
      '{"apiVersion":"v1","data":{"x":"2"},"kind":"ConfigMap","metadata":{"name":"upgraded"}}\n',
    );
  });

  test("a scale is applied, and who applies it manages the replicas", async () => {
    const path = `${DEPLOYMENTS}/scaled`;
    const labels = { app: "scaled" };
    const template = { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } };
    const body = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "scaled" },
      spec: { replicas: 2, selector: { matchLabels: labels }, template },
    };
    assert.equal((await apply(path, body, "owner")).status, 201);
    const scale = (replicas: unknown) => ({
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: { name: "scaled" },
      spec: { replicas },
    });
    const refused = await apply(`${path}/scale`, scale(3), "me");
    assert.match(refused.json.message, /conflict with "owner": .spec.replicas$/);
    assert.match(
      (await apply(`${path}/scale`, body, "me")).json.message,
      /^invalid object type: apps\/v1, Kind=Deployment$/,
    );
    assert.match((await apply(`${path}/scale`, scale("3"), "me")).json.message, /expected numeric .*, got string$/);
    const forced = await apply(`${path}/scale`, scale(3), "me", "&force=true");
    assert.deepEqual([forced.status, forced.json.kind, forced.json.spec], [200, "Scale", { replicas: 3 }]);
    const [first, second] = await managers(path);
    assert.deepEqual(first, ["me", "Apply", "scale", { "f:spec": { "f:replicas": {} } }]);
    assert.equal(second[2]["f:spec"]["f:replicas"], undefined);
    await patch(`${path}/scale`, { spec: { replicas: 4 } }, "merge-patch", "?fieldManager=scaler");
    assert.deepEqual((await managers(path)).map((one: Loose) => one.slice(0, 3)).slice(1), [
      ["scaler", "Update", "scale"],
    ]);
  });

  test("what admission and the server add is nobody's", async () => {
    const pod = { metadata: { name: "plain" }, spec: { containers: [{ name: "c", image: "i" }] } };
    const made = await api.call("POST", "/api/v1/namespaces/default/pods?fieldManager=me", { body: pod });
    assert.equal(made.status, 201, made.text);
    assert.ok(made.json.spec.volumes.length > 0 && made.json.spec.tolerations.length > 0);
    const [[, , fields], ...more] = await managers("/api/v1/namespaces/default/pods/plain");
    assert.deepEqual(more, []);
    assert.deepEqual(
      Object.keys(fields["f:spec"]).sort(),
      ["containers", "dnsPolicy", "enableServiceLinks", "restartPolicy", "schedulerName", "securityContext"]
        .concat("terminationGracePeriodSeconds")
        .map((field) => `f:${field}`),
    );
  });

  test("what cannot be applied or patched is said in upstream's words", async () => {
    const path = `${CONFIG_MAPS}/words`;
    await api.call("POST", CONFIG_MAPS, { body: map("words", { x: "1" }) });
    const typed = "failed to create typed patch object (/words; /v1, Kind=ConfigMap): ";
    const refusals: readonly [object, number, string][] = [
      [
        { ...map("words", {}), metadata: { name: "words", managedFields: [] } },
        400,
        "metadata.managedFields must be nil",
      ],
      [{ kind: "ConfigMap" }, 400, "invalid object type: /, Kind=ConfigMap"],
      [map("words", { x: 3 }), 500, `${typed}.data.x: expected string, got &value.valueUnstructured{Value:3}`],
      [map("words", ["x"]), 500, `${typed}.data: expected map, got &{[x]}`],
      [
        { ...map("words", {}), immutable: "yes", metadata: { name: "words", finalizers: ["a/b", "a/b"] } },
        500,
        `${typed}errors:\n  .metadata.finalizers: duplicate entries for key [="a/b"]\n  .immutable: expected boolean, got &{yes}`,
      ],
    ];
    for (const [body, status, message] of refusals) {
      const { json } = await apply(path, body, "me");
      assert.deepEqual([json.code, json.message], [status, message]);
    }
    const container = { name: "c", image: "i", ports: [{ containerPort: 80 }, { containerPort: 80, protocol: "TCP" }] };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [container, {}] } };
    assert.equal(
      (await apply("/api/v1/namespaces/default/pods/p", pod, "me")).json.message.split("\n").slice(1).join("\n"),
      '  .spec.containers[name="c"].ports: duplicate entries for key [containerPort=80,protocol="TCP"]\n' +
        '  .spec.containers: element 1: associative list with keys has an element that omits all key fields ["name"] (and doesn\'t have default values for any key fields)',
    );
    const wrong: readonly [type: string, body: object, words: RegExp][] = [
      [
        "merge-patch",
        { data: { x: 1 } },
        /^ "" is invalid: patch: Invalid value: "\{.*\}": json: cannot unmarshal number into Go/,
      ],
      [
        "merge-patch",
        { dat: 1 },
        /^ "" is invalid: patch: Invalid value: "\{.*\}": strict decoding error: unknown field "dat"$/,
      ],
      [
        "strategic-merge-patch",
        { data: { x: 1 } },
        /: Invalid value: "map\[data:map\[x:1\]\]": cannot convert int64 to string$/,
      ],
      ["strategic-merge-patch", { immutable: "x" }, /: Invalid value: "map\[immutable:x\]": unrecognized type: bool$/],
      ["strategic-merge-patch", { data: "x" }, /: Invalid value: "map\[data:x\]": cannot restore map from string$/],
      [
        "strategic-merge-patch",
        { dat: 1 },
        /: Invalid value: "map\[dat:1\]": strict decoding error: unknown field "dat"$/,
      ],
    ];
    for (const [type, body, words] of wrong) {
      const { json } = await patch(path, body, type, "?fieldValidation=Strict");
      assert.deepEqual([json.code, json.reason, words.test(json.message)], [422, "Invalid", true], json.message);
    }
  });

  test("a watch from a revision that is compacted, or has not come, is answered by events", async () => {
    const made = await api.call("POST", CONFIG_MAPS, { body: map("watched", {}) });
    const { resourceVersion } = made.json.metadata;
    await api.call("DELETE", `${CONFIG_MAPS}/watched`);
    const watch = async (query: string, seconds = 1): Promise<Loose> => {
      const { status, text } = await api.call("GET", `${CONFIG_MAPS}?watch=1&timeoutSeconds=${seconds}&${query}`);
      assert.equal(status, 200, text);
      return text === "" ? undefined : JSON.parse(text.split("\n", 1)[0] ?? "");
    };
    const later = Number(resourceVersion) + 1000;
    assert.equal(await watch(`resourceVersion=${later}`), undefined);
    const large = await watch(`resourceVersion=${later}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`, 30);
    assert.deepEqual([large.type, large.object.code, large.object.reason], ["ERROR", 504, "Timeout"]);
    await store.compact(Number(resourceVersion) + 1);
    await api.restart();
    const old = await watch(`resourceVersion=${Number(resourceVersion) - 2}`);
    assert.deepEqual([old.type, old.object.code, old.object.reason], ["ERROR", 410, "Expired"]);
    assert.match(old.object.message, /^too old resource version: \d+ \(\d+\)$/);
  });

  test("orders of another form are refused in the words of Go's decoder", async () => {
    const core = "/api/v1/namespaces/default";
    const labels = { app: "ordered" };
    const template = { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } };
    const spec = { selector: { matchLabels: labels }, template };
    await api.call("POST", DEPLOYMENTS, { body: { metadata: { name: "ordered" }, spec } });
    await api.call("POST", `${core}/pods`, { body: { metadata: { name: "ordered" }, spec: template.spec } });
    const token = `${core}/serviceaccounts/default/token`;
    const scale = `${DEPLOYMENTS}/ordered/scale`;
    const eviction = `${core}/pods/ordered/eviction`;
    const into = (what: string, field: string, type: string) =>
      `json: cannot unmarshal ${what} into Go struct field ${field} of type ${type}`;
    const wrong: readonly [method: string, path: string, body: object, status: number, words: string][] = [
      ["POST", token, { spec: { audiences: "x" } }, 400, into("string", "TokenRequestSpec.spec.audiences", "[]string")],
      ["POST", token, { kind: "Pod" }, 400, 'no kind "Pod" is registered for this resource'],
      ["PUT", scale, { spec: { replicas: "3" } }, 400, into("string", "ScaleSpec.spec.replicas", "int32")],
      ["PUT", scale, { kind: "Pod" }, 400, 'no kind "Pod" is registered for this resource'],
      [
        "PUT",
        scale,
        { metadata: { name: "other" }, spec: { replicas: 3 } },
        400,
        "the name of the object (other) does not match the name on the URL (ordered)",
      ],
      [
        "PUT",
        scale,
        { metadata: { uid: "x" }, spec: { replicas: 3 } },
        409,
        "Precondition failed: UID in precondition: x",
      ],
      ["POST", eviction, { deleteOptions: "x" }, 400, into("string", "Eviction.deleteOptions", "v1.DeleteOptions")],
      [
        "POST",
        `${core}/pods`,
        { metadata: { labels: { a: 1 } }, spec: {} },
        400,
        into("number", "ObjectMeta.metadata.labels", "string"),
      ],
      [
        "POST",
        `${core}/pods`,
        { spec: { containers: [{ env: [{ name: "x", value: true }] }] } },
        400,
        into("bool", "EnvVar.spec.containers.env.value", "string"),
      ],
    ];
    for (const [method, path, body, status, words] of wrong) {
      const { json, text } = await api.call(method, path, { body });
      assert.deepEqual([json.code, json.message.includes(words)], [status, true], text);
    }
    assert.equal((await api.call("GET", `${core}/pods/ordered`)).status, 200);
    const old = { apiVersion: "policy/v1beta1", kind: "Eviction", metadata: { name: "ordered" } };
    assert.equal((await api.call("POST", eviction, { body: old })).status, 201);
  });

  test("flow schemas are shown in the order of their precedence", async () => {
    const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
    const path = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas";
    const { rows } = (await api.call("GET", path, { headers: table })).json;
    const shown = rows.map(({ cells }: Loose) => [cells[0], cells[2]]);
    assert.deepEqual(
      [shown[0], shown.at(-1)],
      [
        ["exempt", 1],
        ["catch-all", 10_000],
      ],
    );
  });

  test("who uses what is deprecated is warned", async () => {
    const { headers } = await api.call("GET", "/api/v1/namespaces/default/endpoints");
    assert.equal(
      headers["warning"],
      '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"',
    );
    const schema = { openAPIV3Schema: { type: "object" } };
    const version = (name: string, more: object) => ({ name, served: true, storage: false, schema, ...more });
    const versions = [
      version("v1alpha1", { deprecated: true, deprecationWarning: "go away" }),
      version("v1beta1", { deprecated: true }),
      version("v1", {}),
      version("v2", { storage: true }),
      version("v3", { deprecated: true }),
    ];
    const names = { plural: "olds", kind: "Old" };
    const body = {
      metadata: { name: "olds.managers.example.com" },
      spec: { group: "managers.example.com", scope: "Namespaced", names, versions },
    };
    const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert.equal((await api.call("POST", crds, { body })).status, 201);
    const warning = async (one: string): Promise<unknown> => {
      for (;;) {
        const answer = await api.call("GET", `/apis/managers.example.com/${one}/olds`);
        if (answer.status === 200) return answer.headers["warning"];
      }
    };
    assert.equal(await warning("v1alpha1"), '299 - "go away"');
    const start = "managers.example.com/v";
    assert.equal(await warning("v1beta1"), `299 - "${start}1beta1 Old is deprecated; use ${start}2 Old"`);
    assert.equal(await warning("v1"), undefined);
    assert.equal(await warning("v3"), `299 - "${start}3 Old is deprecated"`);
  });
});
