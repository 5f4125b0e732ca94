import assert from "node:assert/strict";
import { test } from "node:test";
import { trackChanges } from "../apply/track-changes.ts";
import type { JsonObject } from "../object/json.ts";
import type { KubeObject } from "../object/kube-object.ts";
import { applyDefaults } from "../schema/apply-defaults.ts";
import { definition } from "../schema/definitions.ts";
import { kindOf } from "../testing/problems-of.ts";
import { EMPTIES } from "./empty-values.ts";

const written = (name: string, object: JsonObject): JsonObject => {
  applyDefaults(definition(name), object);
  return object;
};

test("what Go always writes is there, though nobody has set it", () => {
  assert.deepEqual(written("core.v1.ObjectReference", {}), {});
  assert.deepEqual(written("core.v1.PodCondition", { type: "Ready", status: "True" }), {
    type: "Ready",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: null,
  });
  assert.deepEqual(written("core.v1.ResourceFieldSelector", { resource: "limits.cpu" }), {
    resource: "limits.cpu",
    divisor: "0",
  });
  assert.deepEqual(written("networking.v1.NetworkPolicy", {}), { spec: { podSelector: {} } });
  assert.deepEqual(written("batch.v1.JobTemplateSpec", { spec: { template: { spec: { containers: [] } } } }), {
    metadata: {},
    spec: {
      template: {
        metadata: {},
        spec: {
          containers: [],
          dnsPolicy: "ClusterFirst",
          restartPolicy: "Always",
          schedulerName: "default-scheduler",
          securityContext: {},
          terminationGracePeriodSeconds: 30,
        },
      },
    },
  });
  assert.deepEqual(written("core.v1.NodeStatus", {})["daemonEndpoints"], { kubeletEndpoint: { Port: 0 } });
});

test("every field of the table is its definition's, and none that a new object must have", () => {
  for (const [name, fields] of Object.entries(EMPTIES)) {
    const { properties } = definition(name);
    for (const field of Object.keys(fields)) assert.ok(properties?.has(field), `${name}.${field}`);
  }
});

test("nobody is noted for what is always there, but for what he adds with it", async () => {
  const kind = kindOf("events");
  const event: KubeObject = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: "a", namespace: "default" },
    involvedObject: { kind: "Pod", name: "web" },
    reason: "Told",
  };
  applyDefaults(kind.schema, event);
  const who = { name: "me", operation: "Update", apiVersion: "v1", subresource: "" } as const;
  await trackChanges(kind, event, undefined, who, "2026-01-01T00:00:00Z");
  assert.deepEqual(event.metadata.managedFields?.[0]?.fieldsV1, {
    "f:involvedObject": {},
    "f:reason": {},
  });
  const old = structuredClone(event);
  event["source"] = { component: "here" };
  event["firstTimestamp"] = "2026-01-01T00:00:00Z";
  await trackChanges(kind, event, old, { ...who, name: "you" }, "2026-01-01T00:00:01Z");
  assert.deepEqual(event.metadata.managedFields?.[1]?.fieldsV1, {
    "f:firstTimestamp": {},
    "f:source": { "f:component": {} },
  });
});
