import assert from "node:assert/strict";
import { test } from "node:test";
import { ContainerState } from "@boxship/cri";
import type { ObservedPod } from "../pods/observed.ts";
import type { Pod } from "../types.ts";
import { podStatus } from "./pod-status.ts";

test("an init container that runs is not ready, and what comes after it waits for the pod to be initialised", () => {
  const pod = {
    metadata: { name: "p" },
    spec: { initContainers: [{ name: "first" }, { name: "second" }], containers: [{ name: "main" }] },
  } as unknown as Pod;
  const statusWith = (state: number) => {
    const status = { id: "1", state, exitCode: 0, startedAt: 1n, finishedAt: 1n, metadata: { attempt: 0 } };
    const observed = { sandboxes: [], containers: new Map([["first", [{ status }]]]) } as unknown as ObservedPod;
    const { initContainerStatuses = [], containerStatuses } = podStatus(pod, observed, {
      engine: "boxship",
      hostIP: "192.0.2.1",
      hostIPs: ["192.0.2.1"],
      now: 0,
      probes: () => ({ started: true, ready: true }),
      waiting: () => undefined,
      messages: () => undefined,
      ended: false,
    });
    return [...initContainerStatuses, ...(containerStatuses ?? [])].map((one) => [
      one.ready,
      Object.keys(one.state)[0],
      one.state.waiting?.reason,
    ]);
  };
  const waits = [false, "waiting", "PodInitializing"];
  assert.deepEqual(statusWith(ContainerState.Running), [[false, "running", undefined], waits, waits]);
  assert.deepEqual(statusWith(ContainerState.Exited), [[true, "terminated", undefined], waits, waits]);
});
