import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJsonSchema } from "../custom/from-json-schema.ts";
import type { Json } from "../object/json.ts";
import { decode } from "./decode.ts";
import { definition } from "./definitions.ts";

const custom = (schema: Json, value: Json) => {
  const { value: pruned, unknown } = decode(fromJsonSchema(schema), value, { dropEmpty: false });
  return [pruned, unknown];
};

test("what a custom schema does not name is pruned, also where it names no field at all", () => {
  const properties = { bare: { type: "object" }, of: { type: "object", additionalProperties: { type: "object" } } };
  assert.deepEqual(custom({ type: "object", properties }, { bare: { a: 1, b: {} }, of: { x: { y: 1 } }, more: 1 }), [
    { bare: {}, of: { x: {} } },
    ["bare.a", "bare.b", "of.x.y", "more"],
  ]);
});

test("unless it says to preserve it, or what has it is an object of its own", () => {
  const any = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  assert.deepEqual(custom({ type: "object", properties: { any } }, { any: { a: { b: 1 } } }), [
    { any: { a: { b: 1 } } },
    [],
  ]);
  const spec = { type: "object", properties: { a: { type: "string" } } };
  const embedded = { type: "object", "x-kubernetes-embedded-resource": true, properties: { spec } };
  const object = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { a: "b", c: 1 }, status: {} };
  const { status: _, ...rest } = object;
  assert.deepEqual(custom({ type: "object", properties: { object: embedded } }, { object }), [
    { object: { ...rest, spec: { a: "b" } } },
    ["object.spec.c", "object.status"],
  ]);
});

test("a built-in kind's free parts stay as they are", () => {
  const revision = { data: { any: { thing: [1] } }, revision: 1, odd: 1 };
  const { value, unknown } = decode(definition("apps.v1.ControllerRevision"), revision, { dropEmpty: true });
  assert.deepEqual([value, unknown], [{ data: revision.data, revision: 1 }, ["odd"]]);
});

test("zeros that Go has no pointer for are not kept, but for those of required fields", () => {
  const decoded = (name: string, value: Json) => decode(definition(name), value, { dropEmpty: true }).value;
  const container = {
    name: "",
    image: "",
    tty: false,
    volumeMounts: [{ name: "v", mountPath: "/v", readOnly: false }],
  };
  const env = [{ name: "E", value: "" }];
  const probe = { initialDelaySeconds: 0, grpc: { port: 0, service: "" }, terminationGracePeriodSeconds: 0 };
  assert.deepEqual(
    decoded("core.v1.Container", { ...container, env, livenessProbe: probe, securityContext: { runAsUser: 0 } }),
    {
      name: "",
      env: [{ name: "E" }],
      volumeMounts: [{ name: "v", mountPath: "/v" }],
      livenessProbe: { grpc: { port: 0, service: "" }, terminationGracePeriodSeconds: 0 },
      securityContext: { runAsUser: 0 },
    },
  );
  // Of what lies in others, as of their own; values of maps are whatever they are.
  assert.deepEqual(
    decoded("core.v1.Volume", {
      name: "v",
      hostPath: { path: "/", type: "" },
      nfs: { server: "", path: "", readOnly: false },
    }),
    {
      name: "v",
      hostPath: { path: "/", type: "" },
      nfs: { server: "", path: "" },
    },
  );
  assert.deepEqual(decoded("core.v1.EphemeralContainer", { name: "e", image: "", stdin: false }), { name: "e" });
  const map = { data: { a: "" }, immutable: false, metadata: { name: "", labels: { a: "" } } };
  assert.deepEqual(decoded("core.v1.ConfigMap", map), { ...map, metadata: { labels: { a: "" } } });
  assert.equal(
    (custom({ type: "object", properties: { a: { type: "string" } } }, { a: "" })[0] as { a: string }).a,
    "",
  );
});

test("a few bytes that would become very many with their defaults are refused", () => {
  const pod = definition("core.v1.PodSpec");
  const decoded = (containers: number) =>
    decode(pod, { containers: Array.from({ length: containers }, () => ({})) }, { dropEmpty: true, largest: 100_000 });
  assert.equal(decoded(500).mismatches.length, 0);
  assert.throws(() => decoded(5000), /Request entity too large: with its defaults/);
  const groups = { securityContext: { supplementalGroups: Array.from({ length: 45_000 }, () => 1) } };
  assert.equal(decode(pod, groups, { dropEmpty: true, largest: 100_000 }).mismatches.length, 0);
});
