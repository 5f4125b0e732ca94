import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../object/kube-object.ts";
import { POD_COLUMNS } from "./pod-columns.ts";

/** READY, STATUS and RESTARTS of a pod. */
function shown(spec: object, status: object, metadata: object = {}): readonly unknown[] {
  const pod = { apiVersion: "v1", kind: "Pod", metadata, spec, status } as unknown as KubeObject;
  return POD_COLUMNS.slice(1, 4).map((column) => column.cell(pod, Date.parse("2026-01-01T00:01:00Z")));
}

const SPEC = {
  containers: [{ name: "main" }, { name: "other" }],
  initContainers: [{ name: "first" }, { name: "side", restartPolicy: "Always" }],
};

const running = (name: string, more: object = {}) => ({
  name,
  ready: true,
  started: true,
  state: { running: {} },
  ...more,
});
const waiting = (name: string, reason: string) => ({ name, ready: false, state: { waiting: { reason } } });
const ended = (name: string, exitCode: number, more: object = {}) => ({
  name,
  ready: exitCode === 0,
  restartCount: 0,
  state: { terminated: { exitCode, reason: exitCode === 0 ? "Completed" : "Error" } },
  ...more,
});
const again = { restartCount: 2, lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-01T00:00:00Z" } } };

test("sidecars count among the containers that are ready, and their restarts among the pod's", () => {
  const mains = [running("main"), running("other", { ready: false })];
  const status = { phase: "Running", containerStatuses: mains };
  const inits = [ended("first", 0, again), running("side", { restartCount: 1 })];
  assert.deepEqual(shown(SPEC, { ...status, initContainerStatuses: inits }), ["2/3", "Running", "1"]);
  const restarted = [ended("first", 0), running("side", again)];
  assert.deepEqual(shown(SPEC, { ...status, initContainerStatuses: restarted }), ["2/3", "Running", "2 (60s ago)"]);
});

test("what a pod waits for at its start is told, and restarts of init containers until they are done", () => {
  const containerStatuses = [waiting("main", "PodInitializing"), waiting("other", "PodInitializing")];
  const of = (...initContainerStatuses: object[]) =>
    shown(SPEC, { phase: "Pending", containerStatuses, initContainerStatuses });
  const side = waiting("side", "PodInitializing");
  assert.deepEqual(of(running("first", { ready: false, ...again }), side), ["0/3", "Init:0/2", "2 (60s ago)"]);
  assert.deepEqual(of(ended("first", 3), side), ["0/3", "Init:Error", "0"]);
  assert.deepEqual(of(ended("first", 0), side), ["0/3", "Init:1/2", "0"]);
  assert.deepEqual(of(waiting("first", "ImagePullBackOff"), side), ["0/3", "Init:ImagePullBackOff", "0"]);
  // It has begun, and is not ready by its probe.
  const begun = running("side", { ready: false });
  assert.deepEqual(of(ended("first", 0), begun), ["0/3", "PodInitializing", "0"]);
});

test("gates, ends and deletions are told", () => {
  const gate = { type: "PodScheduled", status: "False", reason: "SchedulingGated" };
  assert.deepEqual(shown(SPEC, { phase: "Pending", conditions: [gate] }), ["0/3", "SchedulingGated", "0"]);
  const spec = { containers: [{ name: "main" }, { name: "other" }] };
  const half = { phase: "Running", containerStatuses: [ended("main", 0), running("other")] };
  assert.deepEqual(shown(spec, half), ["1/2", "NotReady", "0"]);
  const ready = [{ type: "Ready", status: "True" }];
  assert.deepEqual(shown(spec, { ...half, conditions: ready }), ["1/2", "Running", "0"]);
  const containerStatuses = [ended("main", 1)];
  const evicted = { phase: "Failed", reason: "Evicted", containerStatuses };
  assert.deepEqual(shown(spec, evicted), ["0/2", "Error", "0"]);
  assert.deepEqual(shown(spec, { phase: "Failed", reason: "Evicted" }), ["0/2", "Evicted", "0"]);
  const gone = { deletionTimestamp: "2026-01-01T00:00:00Z" };
  assert.deepEqual(shown(spec, half, gone)[1], "Terminating");
  assert.deepEqual(shown(spec, evicted, gone)[1], "Error");
});
