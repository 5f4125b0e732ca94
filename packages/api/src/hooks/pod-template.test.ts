import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../kind/builtin-kinds.ts";
import type { Json, JsonObject } from "../object/json.ts";
import { valueAt } from "../object/kube-object.ts";
import { applyDefaults } from "../schema/apply-defaults.ts";

function defaulted(resource: string, spec: JsonObject): Json {
  const kind = builtinKinds().find((one) => one.resource === resource);
  assert.ok(kind !== undefined);
  const object = { apiVersion: "v1", kind: kind.kind, metadata: {}, spec };
  applyDefaults(kind.schema, object);
  kind.hooks.applyDefaults?.(object);
  return object.spec;
}

const POD = {
  hostNetwork: true,
  containers: [{ name: "a", image: "i", ports: [{ containerPort: 80 }], resources: { limits: { cpu: "1" } } }],
};

test("only pods get what a template leaves open: service links, requests, ports of the host", () => {
  const shown = (spec: Json) => [
    valueAt(spec, "enableServiceLinks"),
    valueAt(spec, "preemptionPolicy"),
    (valueAt(spec, "containers") as JsonObject[])[0]?.["resources"],
    (valueAt(spec, "containers") as JsonObject[])[0]?.["ports"],
  ];
  const limits = { cpu: "1" };
  assert.deepEqual(shown(defaulted("pods", structuredClone(POD))), [
    true,
    undefined,
    { limits, requests: limits },
    [{ containerPort: 80, protocol: "TCP", hostPort: 80 }],
  ]);
  const template = { metadata: {}, spec: structuredClone(POD) };
  const deployment = defaulted("deployments", { selector: {}, template });
  assert.deepEqual(shown(valueAt(deployment, "template", "spec") ?? null), [
    undefined,
    undefined,
    { limits },
    [{ containerPort: 80, protocol: "TCP" }],
  ]);
});
