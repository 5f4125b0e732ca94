import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { openCgroup } from "@boxship/kernel";
import { type Cluster, type FoundCriu, runProgram } from "@boxship/testkit";

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
export async function tryRuntimeClasses(cluster: Cluster, criu: FoundCriu): Promise<void> {
  const { apply, engine, field, kube, told } = cluster;
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
  await tryCheckpoint(cluster, criu);
  await kube("delete", "pod", "costly", "nowhere", "passing", "--timeout=120s");
}

/** A container is written to an archive by who may have that done, and goes on. */
async function tryCheckpoint({ apply, field, kube, nodeDirectory, tried }: Cluster, criu: FoundCriu): Promise<void> {
  const node = await field("pod/costly", "{.spec.nodeName}");
  const at = (path: string) => `/api/v1/nodes/${node}/proxy/${path}`;
  const ask = (path: string, ...as: string[]) =>
    tried(["create", "--raw", at(path), "-f", "-", ...as], { input: "{}" });
  const refused = async (path: string, words: RegExp, ...as: string[]) =>
    assert.match((await ask(path, ...as)).stderr, words, path);
  await refused("checkpoint/default/none/c", /pod does not exist/);
  await refused("checkpoint/default/costly/none", /container none does not exist/);
  await refused("checkpoint/default/costly/c?timeout=soon", /cannot parse value of timeout parameter/);
  await refused("metrics", /does not allow this method/);
  const reader = "system:serviceaccount:default:default";
  await apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: node-reader}
rules: [{apiGroups: [""], resources: [nodes/proxy], verbs: [get]}]
`);
  await kube("create", "clusterrolebinding", "node-reader", "--clusterrole=node-reader", `--user=${reader}`);
  assert.match(await kube("get", "--raw", at("healthz"), `--as=${reader}`), /^ok/);
  await refused("checkpoint/default/costly/c", /forbidden/i, `--as=${reader}`);
  const path = "checkpoint/default/costly/c?timeout=100";
  if (criu.reason !== undefined) {
    await refused(path, /checkpointing of default\/costly\/c failed \(.*CRIU/i);
    return;
  }
  const { stdout, stderr } = await ask(path);
  const [archive = ""] = stderr === "" ? JSON.parse(stdout).items : assert.fail(stderr);
  assert.ok(archive.startsWith(`${nodeDirectory}/checkpoints/checkpoint-costly_default-c-2`), archive);
  assert.match((await runProgram(["tar", "-tf", archive])).stdout, /^config\.dump$/m);
  assert.equal(statSync(archive).mode & 0o777, 0o600);
  assert.equal(await field("pod/costly", "{.status.containerStatuses[0].restartCount}"), "0");
}
