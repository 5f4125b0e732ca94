import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeProtobuf } from "@boxship/api";
import { startApi } from "../testing/api-under-test.ts";

const LARGE = "9007199254740993";
const LARGEST = "9223372036854775807";

test("integers of 64 bits come back with the digits that were sent", async () => {
  await using api = await startApi();
  const send = (method: string, path: string, body: string, type = "application/json") =>
    api.call(method, path, { body, headers: { "content-type": type } });
  const names = { plural: "counts", singular: "count", kind: "Count", listKind: "CountList" };
  const rule = "self.big > 9007199254740992 && self.big - 1 == 9007199254740992";
  const schema = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        "x-kubernetes-validations": [{ rule }],
        properties: {
          big: { type: "integer", format: "int64" },
          any: { "x-kubernetes-preserve-unknown-fields": true },
          either: { "x-kubernetes-int-or-string": true },
          real: { type: "number" },
        },
      },
    },
  };
  const versions = [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }];
  const crd = {
    metadata: { name: "counts.example.com" },
    spec: { group: "example.com", scope: "Namespaced", names, versions },
  };
  await send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", JSON.stringify(crd));
  const path = "/apis/example.com/v1/namespaces/default/counts";
  const spec = `{"any":{"deep":[-${LARGEST}]},"big":${LARGE},"either":${LARGEST},"real":${LARGE}}`;
  const type = '"apiVersion":"example.com/v1","kind":"Count"';
  const exact = (text: string, digits = LARGE) => {
    for (const field of [`"big":${digits}`, `"either":${LARGEST}`, `"deep":[-${LARGEST}]`, `"real":${LARGE}`])
      assert.ok(text.includes(field), `${field} in ${text}`);
  };
  const made = await send("POST", path, `{${type},"metadata":{"name":"a"},"spec":${spec}}`);
  assert.equal(made.status, 201, made.text);
  exact(made.text);
  exact((await api.call("GET", `${path}/a`)).text);
  exact((await api.call("GET", path)).text);
  const merged = await send("PATCH", `${path}/a`, '{"metadata":{"labels":{"x":"y"}}}', "application/merge-patch+json");
  exact(merged.text);
  const applied = await send(
    "PATCH",
    `${path}/a?fieldManager=me&force=true`,
    `{${type},"metadata":{"name":"a"},"spec":${spec}}`,
    "application/apply-patch+yaml",
  );
  exact(applied.text);
  const same = await send(
    "PATCH",
    `${path}/a`,
    `[{"op":"test","path":"/spec/big","value":${LARGE}}]`,
    "application/json-patch+json",
  );
  assert.equal(same.status, 200, same.text);
  const yaml = await api.call("GET", `${path}/a`, { headers: { accept: "application/yaml" } });
  assert.match(yaml.text, new RegExp(`^ {2}big: ${LARGE}$`, "m"));
  const wrong = await send(
    "POST",
    path,
    `{${type},"metadata":{"name":"b"},"spec":{"big":${LARGE.replace(/3$/, "2")}}}`,
  );
  assert.deepEqual([wrong.status, wrong.json.message.includes(`failed rule: ${rule}`)], [422, true], wrong.text);
  const fromYaml = await send(
    "POST",
    path,
    `${type.replaceAll('"', "").replace(":", ": ").replace(",", "\n").replace("d:", "d: ")}\nmetadata: {name: c}\nspec: {big: ${LARGE}}\n`,
    "application/yaml",
  );
  assert.deepEqual([fromYaml.status, fromYaml.text.includes(`"big":${LARGE}`)], [201, true], fromYaml.text);

  const pod = `{"metadata":{"name":"p"},"spec":{"terminationGracePeriodSeconds":${LARGE},"containers":[{"name":"a","image":"a"}]}}`;
  const created = await send("POST", "/api/v1/namespaces/default/pods", pod);
  assert.ok(created.text.includes(`"terminationGracePeriodSeconds":${LARGE}`), created.text);
  const both = { accept: "application/vnd.kubernetes.protobuf,application/json" };
  const shown = await api.call("GET", "/api/v1/namespaces/default/pods/p", { headers: both });
  const decoded = decodeProtobuf("core.v1.Pod", shown.bytes);
  assert.ok(JSON.stringify(decoded).includes(`"terminationGracePeriodSeconds":${LARGE}`));
  const over = await send("POST", "/api/v1/namespaces/default/pods", pod.replace(LARGE, "99999999999999999999"));
  assert.deepEqual([over.status, /cannot unmarshal number/.test(over.text)], [400, true], over.text);
});
