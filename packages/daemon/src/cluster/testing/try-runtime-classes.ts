import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { openCgroup } from "@boxship/kernel";
import type { Cluster } from "@boxship/testkit";

const runtimeClass = (name: string, handler: string, more = ""): string => `
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: ${name}}
handler: ${handler}
${more}
`;

const pod = (name: string, ofClass: string, more = ""): string => `
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  runtimeClassName: ${ofClass}
  terminationGracePeriodSeconds: 0
  ${more}
  containers:
  - {name: c, image: "busybox:latest", imagePullPolicy: Never, command: [sleep, "1000"], resources: {limits: {cpu: 100m, memory: 32Mi}}}
`;

/** Pods run on what their class says, and have what it costs. */
export async function tryRuntimeClasses({ apply, engine, field, kube, told }: Cluster): Promise<void> {
  const cost = "overhead: {podFixed: {memory: 16Mi}}\nscheduling: {nodeSelector: {kubernetes.io/os: linux}}";
  await apply(
    runtimeClass("costly", "runc", cost) + runtimeClass("nowhere", "no-such") + runtimeClass("passing", "runc"),
  );
  await apply(
    pod("costly", "costly") + pod("nowhere", "nowhere") + pod("passing", "passing", "schedulingGates: [{name: x.y/z}]"),
  );
  await kube("delete", "runtimeclass", "passing");
  await kube("patch", "pod", "passing", "--type=json", "-p", '[{"op": "remove", "path": "/spec/schedulingGates"}]');
  await told(
    "passing",
    /FailedCreatePodSandBox .*Failed to create pod sandbox: runtimeclass\.node\.k8s\.io "passing" not found/,
  );
  await told(
    "nowhere",
    /FailedCreatePodSandBox .*Failed to create pod sandbox: .*no runtime for "no-such" is configured/,
  );
  await kube("wait", "pod/costly", "--for=condition=Ready", "--timeout=120s");
  const said = await field("pod/costly", "{.metadata.uid} {.spec.overhead.memory} {.spec.nodeSelector}");
  const [uid, memory, selector] = said.split(" ");
  assert.deepEqual([memory, selector], ["16Mi", '{"kubernetes.io/os":"linux"}']);
  const directory = openCgroup(`/${engine.name}/kubepods/pod${uid}`).path("memory") ?? "";
  const file = existsSync(`${directory}/memory.max`) ? "memory.max" : "memory.limit_in_bytes";
  assert.equal(readFileSync(`${directory}/${file}`, "utf8").trim(), String(48 << 20));
  await kube("delete", "pod", "costly", "nowhere", "passing", "--timeout=120s");
}
