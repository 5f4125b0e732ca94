import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerSpec, Pod } from "../types.ts";
import { oomScoreAdj, qosClass } from "./qos.ts";

const pod = (...resources: ContainerSpec["resources"][]): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p" },
  spec: {
    containers: resources.map((one, at) => ({ name: `c${at}`, ...(one === undefined ? {} : { resources: one }) })),
  },
});

test("a pod's class follows from what its containers ask for", () => {
  const full = { requests: { cpu: "500m", memory: "1Gi" }, limits: { cpu: "0.5", memory: "1024Mi" } };
  assert.equal(qosClass(pod(undefined)), "BestEffort");
  assert.equal(qosClass(pod({ limits: { cpu: "1", memory: "1Gi" } })), "Guaranteed");
  assert.equal(qosClass(pod(full)), "Guaranteed");
  assert.equal(qosClass(pod(full, undefined)), "Burstable");
  assert.equal(qosClass(pod({ requests: { cpu: "1m" } })), "Burstable");
});

test("who asked for more memory goes later", () => {
  const of = (resources: ContainerSpec["resources"]) => {
    const made = pod(resources);
    return oomScoreAdj(made, made.spec.containers[0] as ContainerSpec, 4 * 2 ** 30);
  };
  assert.equal(of(undefined), 1000);
  assert.equal(of({ limits: { cpu: "1", memory: "1Gi" } }), -997);
  assert.equal(of({ requests: { memory: "1Gi" } }), 750);
  assert.equal(of({ requests: { cpu: "1" } }), 999);
});
