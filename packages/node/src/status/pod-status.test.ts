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
      recursiveReadOnly: false,
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
        recursiveReadOnly: false,
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

test("of a pod that failed it is told how its containers ended, whatever is left of them; of one that was refused nothing", () => {
  const failed = { reason: "Evicted", message: "too much" };
  const none = { sandboxes: [], containers: new Map() } as unknown as ObservedPod;
  const made = { sandboxes: [{ id: "s" }], containers: new Map() } as unknown as ObservedPod;
  const told = (observed: ObservedPod, status: object, init: object = {}) => {
    const pod = { metadata: { name: "p" }, spec: { containers: [{ name: "main" }], ...init }, status };
    const knowledge = { engine: "boxship", hostIP: "192.0.2.1", hostIPs: ["192.0.2.1"], now: 0, failed, ended: false };
    const nothing = { probes: () => undefined, waiting: () => undefined, messages: () => undefined };
    const able = { recursiveReadOnly: false };
    return podStatus(pod as unknown as Pod, observed, { ...knowledge, ...nothing, ...able });
  };
  const refused = told(none, {});
  assert.deepEqual(
    [refused.phase, refused.reason, refused.conditions, refused.containerStatuses],
    ["Failed", "Evicted", [], undefined],
  );
  assert.deepEqual(told(none, { phase: "Failed" }).containerStatuses, undefined);
  const ended = { name: "main", containerID: "boxship://1", state: { terminated: { exitCode: 3, reason: "Error" } } };
  for (const phase of ["Running", "Failed"])
    assert.deepEqual(told(made, { phase, containerStatuses: [ended] }).containerStatuses, [ended]);
  const waiting = { name: "main", state: { waiting: { reason: "ContainerCreating" } } };
  const reasonOf = ({ containerStatuses: [one] = [] }: ReturnType<typeof told>) =>
    one?.state.terminated?.reason ?? one?.state.waiting?.reason;
  assert.equal(reasonOf(told(none, { containerStatuses: [waiting] })), "ContainerStatusUnknown");
  const behind = told(made, { containerStatuses: [waiting] }, { initContainers: [{ name: "first" }] });
  assert.equal(reasonOf(behind), "PodInitializing");
});
