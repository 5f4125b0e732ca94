import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerSpec, Pod, PodSpec } from "../types.ts";
import { podLimits, podResources } from "./pod-group.ts";

const container = (name: string, cpu: string, memory: string, more: Partial<ContainerSpec> = {}): ContainerSpec => ({
  name,
  resources: { requests: { cpu, memory }, limits: { cpu, memory } },
  ...more,
});

const pod = (spec: Partial<PodSpec>): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p" },
  spec: { containers: [], ...spec },
});

const MI = 1 << 20;

test("a pod's limits are the sum of its containers', if each has one", () => {
  const containers = [container("a", "500m", "64Mi"), container("b", "250m", "32Mi")];
  assert.deepEqual(podLimits(pod({ containers }), -1), {
    cpu: { shares: 768, period: 100_000, quota: 75_000 },
    memory: { limit: 96 * MI },
  });
  assert.deepEqual(podLimits(pod({ containers: [...containers, { name: "c" }] }), -1), { cpu: { shares: 768 } });
  assert.deepEqual(podLimits(pod({ containers: [{ name: "c" }] }), -1), { cpu: { shares: 2 } });
  assert.deepEqual(podLimits(pod({ containers: [{ name: "c" }] }), 100), { cpu: { shares: 2 }, pids: 100 });
});

test("what the pod's runtime costs is beside what its containers ask for, where they are limited", () => {
  const overhead = { cpu: "250m", memory: "16Mi" };
  const containers = [container("a", "500m", "64Mi")];
  assert.deepEqual(podLimits(pod({ containers, overhead }), -1), {
    cpu: { shares: 768, period: 100_000, quota: 75_000 },
    memory: { limit: 80 * MI },
  });
  assert.deepEqual(podLimits(pod({ containers: [{ name: "c" }], overhead }), -1), { cpu: { shares: 256 } });
  const { requests, limits } = podResources(pod({ containers, overhead }));
  assert.deepEqual(
    [requests, limits],
    [
      { cpu: "0.5", memory: String(64 * MI) },
      { cpu: "0.5", memory: String(64 * MI) },
    ],
  );
});

test("init containers count one by one, beside the sidecars that run by then; what the pod says itself goes before", () => {
  const containers = [container("a", "100m", "64Mi")];
  const side = container("side", "100m", "10Mi", { restartPolicy: "Always" });
  const initContainers = [container("first", "2", "100Mi"), side, container("second", "1", "120Mi")];
  assert.deepEqual(podLimits(pod({ containers, initContainers }), -1).memory, { limit: 130 * MI });
  assert.equal(podLimits(pod({ containers, initContainers }), -1).cpu?.quota, 200_000);
  const resources = { limits: { memory: "40Mi" } };
  assert.deepEqual(podLimits(pod({ containers, initContainers, resources }), -1).memory, { limit: 40 * MI });
});
