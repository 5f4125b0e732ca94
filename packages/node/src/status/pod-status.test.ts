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

test("a container tells what it has: nothing, what its pod says, or what that was until it is given", () => {
  const linux = { cpuShares: 2n, cpuQuota: 0, memoryLimitInBytes: 64 << 20 };
  const told = (resources: object, now: object | undefined, containerStatuses: object[] = []) => {
    const pod = {
      metadata: { name: "p" },
      spec: { containers: [{ name: "main", resources }] },
      status: { containerStatuses },
    } as unknown as Pod;
    const status = {
      id: "1",
      state: ContainerState.Running,
      startedAt: 1n,
      metadata: { attempt: 0 },
      resources: { linux: now },
    };
    const observed = { sandboxes: [], containers: new Map([["main", [{ status }]]]) } as unknown as ObservedPod;
    const [main] =
      podStatus(pod, observed, {
        engine: "boxship",
        hostIP: "192.0.2.1",
        hostIPs: ["192.0.2.1"],
        now: 0,
        probes: () => undefined,
        waiting: () => undefined,
        messages: () => undefined,
        ended: false,
      }).containerStatuses ?? [];
    return [main?.allocatedResources, main?.resources];
  };
  const [small, large] = [{ memory: "64Mi" }, { memory: "96Mi" }];
  assert.deepEqual(told({}, undefined), [undefined, {}]);
  assert.deepEqual(told({ requests: small }, undefined), [small, { requests: small }]);
  const before = { name: "main", allocatedResources: small, resources: { requests: small, limits: small } };
  assert.deepEqual(told({ requests: large, limits: large }, linux, [before]), [
    before.allocatedResources,
    before.resources,
  ]);
  assert.deepEqual(told({ limits: large }, linux), [undefined, {}]);
});
