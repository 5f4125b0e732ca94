import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../kind/builtin-kinds.ts";
import type { Kind } from "../kind/kind.ts";
import type { JsonObject } from "../object/json.ts";
import type { KubeObject } from "../object/kube-object.ts";
import { applyConfiguration } from "./apply-configuration.ts";

const kind = builtinKinds().find(({ resource }) => resource === "deployments") as Kind;

function apply(live: KubeObject | undefined, name: string, spec: JsonObject, force = false): Promise<KubeObject> {
  const configuration: KubeObject = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" }, spec };
  const who = { name, operation: "Apply" as const, apiVersion: "apps/v1", subresource: "" };
  return applyConfiguration({ kind, live, configuration, who, time: "2026-01-01T00:00:00Z", force });
}

const containers = (...items: JsonObject[]): JsonObject => ({ template: { spec: { containers: items } } });

test("two appliers share an object, each with fields of its own", async () => {
  const first = await apply(undefined, "a", { replicas: 2, ...containers({ name: "web", image: "x" }) });
  const second = await apply(first, "b", containers({ name: "side", image: "y" }));
  assert.deepEqual(second["spec"], {
    replicas: 2,
    ...containers({ name: "web", image: "x" }, { name: "side", image: "y" }),
  });
  assert.deepEqual(
    second.metadata.managedFields?.map(({ manager }) => manager),
    ["a", "b"],
  );
});

test("what an applier no longer applies goes, but for what others have", async () => {
  const first = await apply(undefined, "a", {
    replicas: 2,
    ...containers({ name: "web", image: "x" }, { name: "old", image: "x" }),
  });
  const shared = await apply(first, "b", { replicas: 2 });
  const less = await apply(shared, "a", containers({ name: "web", image: "x" }));
  assert.deepEqual(less["spec"], { replicas: 2, ...containers({ name: "web", image: "x" }) });
});

test("another manager's field is a conflict, unless it is taken by force or is the same", async () => {
  const first = await apply(undefined, "a", { replicas: 2 });
  await assert.rejects(apply(first, "b", { replicas: 3 }), {
    name: "Conflict",
    message: 'Apply failed with 1 conflict: conflict with "a": .spec.replicas',
  });
  assert.equal(((await apply(first, "b", { replicas: 3 }, true))["spec"] as JsonObject)["replicas"], 3);
  assert.equal((await apply(first, "b", { replicas: 2 })).metadata.managedFields?.length, 2);
});

test("ports are told apart by number and protocol, with the protocol's default", async () => {
  const first = await apply(undefined, "a", containers({ name: "web", ports: [{ containerPort: 80 }] }));
  const fields = JSON.stringify(first.metadata.managedFields);
  assert.match(fields, /k:\{\\"containerPort\\":80,\\"protocol\\":\\"TCP\\"\}/);
});
