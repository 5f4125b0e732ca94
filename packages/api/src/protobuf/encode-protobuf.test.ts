import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { builtinKinds } from "../kind/builtin-kinds.ts";
import type { Json, JsonObject } from "../object/json.ts";
import { apiVersionOf } from "../object/kube-object.ts";
import type { Schema } from "../schema/schema.ts";
import { decodeProtobuf } from "./decode-protobuf.ts";
import { encodeProtobuf } from "./encode-protobuf.ts";
import { isMessage } from "./messages.ts";

const DEEPEST = 6;

/** Any value of a schema, without zeros and nothings: on the wire these are the same as what is left out. */
function anything(schema: Schema, depth: number): fc.Arbitrary<Json> {
  const word = fc.string({ minLength: 1, unit: "grapheme", maxLength: 12 });
  if (schema.intOrString) return fc.oneof(fc.integer({ min: 1 }), word);
  if (schema.definition?.endsWith("Time")) return time(schema.definition.endsWith("MicroTime"));
  switch (schema.type) {
    case "object":
      return objects(schema, depth);
    case "array":
      return fc.array(anything(schema.items ?? {}, depth + 1), { minLength: 1, maxLength: 3 });
    case "boolean":
      return fc.constant(true);
    case "integer":
      return schema.format === "int32"
        ? fc.integer().filter((value) => value !== 0)
        : fc.maxSafeInteger().filter((value) => value !== 0);
    case "number":
      return fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => value !== 0);
    case "string":
      if (schema.format === "byte")
        return fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes).toString("base64"));
      if (schema.format === "date-time") return time(false);
      return word;
    case undefined:
      return word;
  }
}

const time = (micro: boolean): fc.Arbitrary<string> =>
  fc.date({ min: new Date(0), max: new Date("2200-01-01"), noInvalidDate: true }).map((date) => {
    const text = date.toISOString();
    return micro ? text.replace("Z", "123Z") : `${text.slice(0, 19)}Z`;
  });

/** These JSON has a form of its own for. */
const PLAIN = /^(?:runtime\.RawExtension|meta\.v1\.FieldsV1)$/;

const PROPS: JsonObject = {
  type: "object",
  properties: {
    all: { additionalProperties: true, type: "object" },
    list: { items: { type: "integer", maximum: 1.5 }, type: "array" },
    map: { additionalProperties: { type: "string" }, type: "object" },
    one: { default: { a: [null] }, enum: ["x", 1, null], type: "string", "x-kubernetes-int-or-string": true },
  },
};

function objects(schema: Schema, depth: number): fc.Arbitrary<JsonObject> {
  const { properties, additional, definition = "" } = schema;
  if (definition === "apiextensions.v1.JSONSchemaProps") return fc.constant(PROPS);
  if (PLAIN.test(definition)) return fc.constant({ a: [1, { b: "c" }] });
  if (additional !== undefined)
    return fc.dictionary(fc.string({ minLength: 1 }), anything(additional, depth + 1), { minKeys: 1, maxKeys: 3 });
  const fields = [...(properties ?? [])].filter(
    ([field, { type, intOrString }]) =>
      (type !== undefined || intOrString) && // Where objects stand in others, messages do not say what they are.
      (properties?.has("metadata") !== true || (field !== "apiVersion" && field !== "kind")),
  );
  const deep = depth >= DEEPEST;
  const model = Object.fromEntries(
    fields
      .filter(([, below]) => !deep || below.type !== "object")
      .map(([field, below]) => [field, anything(below, depth + 1)]),
  );
  // Something is in it: some objects with nothing in them are left out.
  const keys = Object.keys(model);
  return fc.record(model, {
    requiredKeys: keys.filter((key) => model[key] !== undefined).slice(0, 1),
  }) as fc.Arbitrary<JsonObject>;
}

test("objects of every built-in kind are the same after protobuf", () => {
  for (const kind of builtinKinds()) {
    const { definition = "" } = kind.schema;
    assert.ok(isMessage(definition), definition);
    const type = { apiVersion: apiVersionOf(kind), kind: kind.kind };
    fc.assert(
      fc.property(objects(kind.schema, 0), (own) => {
        const object = JSON.parse(JSON.stringify({ ...own, ...type })) as JsonObject;
        assert.deepEqual(decodeProtobuf(definition, encodeProtobuf(definition, object)), object);
      }),
      { numRuns: 5, endOnFailure: true },
    );
  }
});

test("what a definition of a custom resource has of its own stays", () => {
  const spec = { versions: [{ name: "v1", subresources: { status: {} } }] };
  const object = { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", spec };
  const message = "apiextensions.v1.CustomResourceDefinition";
  assert.deepEqual(decodeProtobuf(message, encodeProtobuf(message, object)), object);
});

test("numbers, times and special messages are written as upstream writes them", () => {
  const hex = (message: string, object: JsonObject): string => encodeProtobuf(message, object).toString("hex");
  const envelope = (raw: string): string =>
    `6b3873000a0012${(raw.length / 2).toString(16).padStart(2, "0")}${raw}1a002200`.replace("0a0012", "0a040a00120012");
  assert.equal(hex("autoscaling.v1.ScaleSpec", { replicas: 300 }), envelope("08ac02"));
  assert.equal(hex("autoscaling.v1.ScaleSpec", { replicas: -1 }), envelope("08ffffffffffffffffff01"));
  assert.equal(
    hex("meta.v1.Condition", { lastTransitionTime: "1970-01-01T00:00:05Z" }),
    envelope("22040805 1000".replace(" ", "")),
  );
  assert.equal(hex("core.v1.TCPSocketAction", { port: "web" }), envelope("0a09080110001a03776562"));
});

test("zeros that Go has pointers for are told apart from nothing, and others are nothing", () => {
  const through = (message: string, object: JsonObject): JsonObject => {
    const { apiVersion: _version, kind: _kind, ...fields } = decodeProtobuf(message, encodeProtobuf(message, object));
    return fields;
  };
  const kept: readonly (readonly [string, JsonObject])[] = [
    ["core.v1.PodSpec", { priority: 0, runtimeClassName: "", containers: [{ name: "c", stdin: true }] }],
    ["core.v1.ContainerStatus", { name: "c", ready: false, restartCount: 0, image: "", imageID: "", started: false }],
    ["apiextensions.v1.JSONSchemaProps", { minimum: 0, minLength: 0, "x-kubernetes-preserve-unknown-fields": false }],
    ["discovery.v1.EndpointPort", { name: "", port: 80 }],
    ["coordination.v1.LeaseSpec", { holderIdentity: "", leaseTransitions: 0 }],
    ["flowcontrol.v1.LimitedPriorityLevelConfiguration", { nominalConcurrencyShares: 0, lendablePercent: 0 }],
    ["core.v1.PodResourceClaim", { name: "a", resourceClaimName: "" }],
    ["meta.v1.DeleteOptions", { gracePeriodSeconds: 0, orphanDependents: false }],
  ];
  for (const [message, object] of kept) assert.deepEqual(through(message, object), object, message);
  const dropped: readonly (readonly [string, JsonObject])[] = [
    ["core.v1.Probe", { timeoutSeconds: 0, periodSeconds: 0, initialDelaySeconds: 0 }],
    ["core.v1.NodeSpec", { unschedulable: false, podCIDR: "" }],
    ["core.v1.PersistentVolumeSpec", { storageClassName: "" }],
  ];
  for (const [message, object] of dropped) assert.deepEqual(through(message, object), {}, message);
});

test("bodies of which two bytes stand for a field each are refused on the way", () => {
  const pod = encodeProtobuf("core.v1.Pod", { apiVersion: "v1", kind: "Pod", metadata: { name: "a" } });
  // What is in runtime.Unknown begins after its type: a field of its own, with its length.
  const wrapped = (content: Buffer): Buffer => {
    const length: number[] = [];
    for (let left = content.length; left > 0; left >>>= 7) length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    return Buffer.concat([pod.subarray(0, 4), Buffer.from([0x12, ...length]), content]);
  };
  const many = (bytes: readonly number[], count: number) => wrapped(Buffer.alloc(count * 2, Buffer.from(bytes)));
  const refused = (body: Buffer, why: RegExp, message = "core.v1.PodSpec") =>
    assert.throws(() => decodeProtobuf(message, body, 1_500_000), why);
  refused(many([0x12, 0], 200_000), /there are more than 150000 objects in it/);
  refused(many([0x12, 0], 80_000), /an object has more than 75000 fields/, "core.v1.ConfigMap");
  refused(many([0x78, 0], 1_600_000), /the object has more than 1500000 bytes/, "core.v1.Pod");
  refused(many([0x22, 0], 600_000), /the object has more than 1500000 bytes/, "core.v1.Container");
  const args = decodeProtobuf("core.v1.Container", many([0x22, 0], 400_000), 1_500_000)["args"];
  assert.equal((args as unknown[]).length, 400_000);
});
