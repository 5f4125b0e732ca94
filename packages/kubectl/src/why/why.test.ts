import assert, { equal } from "node:assert/strict";
import { after, before, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { type ApiClient, loadKubeconfig, type ObjectRef, openHttpClient } from "@boxship/client";
import { kubectlHere, startApiServer, type TestApiServer, tempDir } from "@boxship/testkit";

const stack = new AsyncDisposableStack();
let server: TestApiServer;
let client: ApiClient;
let home = "";

before(async () => {
  home = stack.use(tempDir("why")).path;
  server = stack.use(await startApiServer());
  client = stack.use(openHttpClient((await loadKubeconfig(server.kubeconfig)).connection));
});
after(() => stack.disposeAsync());

/** What is said, one line each, without the first. */
async function why(...words: readonly string[]): Promise<string> {
  const { stdout, stderr } = await kubectlHere(["why", ...words], { kubeconfig: server.kubeconfig, home });
  equal(stderr, "");
  return stdout.split("\n").slice(1, -1).join("\n");
}

type Of = Omit<ObjectRef, "name">;
const PODS: Of = { group: "", version: "v1", resource: "pods", namespace: "default" };
const NODES: Of = { group: "", version: "v1", resource: "nodes" };
const CLAIMS: Of = { group: "", version: "v1", resource: "persistentvolumeclaims", namespace: "default" };
const SETS: Of = { group: "apps", version: "v1", resource: "replicasets", namespace: "default" };
const EVENTS: Of = { group: "", version: "v1", resource: "events", namespace: "default" };

async function make(of: Of, kind: string, name: string, more: JsonObject, status?: JsonObject): Promise<KubeObject> {
  const { metadata = {}, ...rest } = more as { metadata?: JsonObject };
  const apiVersion = of.group === "" ? of.version : `${of.group}/${of.version}`;
  const made = await client.create(of, { apiVersion, kind, metadata: { name, ...metadata }, ...rest });
  if (status === undefined) return made;
  return await client.patch({ ...of, name }, "merge", { status }, { subresource: "status" });
}

async function tell(object: KubeObject, reason: string, message: string, fieldPath = ""): Promise<void> {
  const { kind, apiVersion, metadata } = object;
  const { name = "", namespace = "default", uid = "" } = metadata;
  await client.create(EVENTS, {
    apiVersion: "v1",
    kind: "Event",
    metadata: { generateName: "e-", namespace },
    involvedObject: { kind, apiVersion, name, namespace, uid, fieldPath },
    type: "Warning",
    reason,
    message,
    firstTimestamp: new Date().toISOString().replace(/\.\d+/, ""),
    lastTimestamp: new Date().toISOString().replace(/\.\d+/, ""),
  });
}

const CONTAINER = { name: "c", image: "reg.example:5000/app:1", resources: { requests: { cpu: "4" } } };
const onNode = (more: JsonObject = {}): JsonObject => ({ spec: { nodeName: "one", containers: [CONTAINER], ...more } });
const waiting = (reason: string, message: string): JsonObject => ({
  phase: "Pending",
  containerStatuses: [
    { name: "c", image: "", imageID: "", ready: false, restartCount: 0, state: { waiting: { reason, message } } },
  ],
});

test("a pod without a node: which node lacks what", async () => {
  const taints = [{ key: "gpu", value: "yes", effect: "NoSchedule" }];
  await make(NODES, "Node", "one", { metadata: { labels: { disk: "hdd" } }, spec: { taints } });
  await client.patch({ ...NODES, name: "one" }, "merge", { spec: { taints } });
  await client.patch(
    { ...NODES, name: "one" },
    "merge",
    { status: { allocatable: { cpu: "2" } } },
    { subresource: "status" },
  );
  const message =
    "0/1 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
  const condition = { type: "PodScheduled", status: "False", reason: "Unschedulable", message };
  const spec = { containers: [CONTAINER], nodeSelector: { disk: "ssd" } };
  await make(PODS, "Pod", "unplaced", { spec }, { conditions: [condition] });
  equal(
    await why("pod/unplaced"),
    `  no node takes it: 0/1 nodes are available
    node one has too little cpu: the pod asks for 4, and of 2 are 0 asked for by 0 pods
      → ask for less: resources.requests.cpu of the pod's containers
    node one has the taint gpu=yes:NoSchedule, which the pod does not tolerate
      → kubectl taint nodes one gpu:NoSchedule-
    it wants a node with disk=ssd
      node one has no label disk=ssd
        → kubectl label node one disk=ssd`,
  );
});

test("a port that another pod has, and an affinity to labels that nodes have otherwise", async () => {
  const unplaced = async (name: string, spec: JsonObject, reason: string): Promise<string> => {
    const message = `0/1 nodes are available: ${reason}. preemption: 0/1 nodes are available: none.`;
    const condition = { type: "PodScheduled", status: "False", reason: "Unschedulable", message };
    await make(PODS, "Pod", name, { spec: { containers: [CONTAINER], ...spec } }, { conditions: [condition] });
    return (await why(`pod/${name}`)).split("\n").slice(1).join("\n");
  };
  const containers = [{ ...CONTAINER, ports: [{ containerPort: 80, hostPort: 8080 }] }];
  await make(PODS, "Pod", "holder", onNode({ containers }));
  equal(
    await unplaced("second", { containers }, "1 node(s) didn't have free ports for the requested pod ports"),
    `    1 node(s) didn't have free ports for the requested pod ports
      port 8080/TCP of node one is that of pod default/holder`,
  );
  const matchExpressions = [
    { key: "disk", operator: "In", values: ["ssd", "nvme"] },
    { key: "gpu", operator: "Exists" },
  ];
  const required = { nodeSelectorTerms: [{ matchExpressions }] };
  const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } };
  equal(
    await unplaced("choosy", { affinity }, "1 node(s) didn't match Pod's node affinity/selector"),
    `    it wants a node with disk In (ssd, nvme) and gpu Exists
      node one has disk=hdd, no label gpu`,
  );
});

test("a pod whose init container has not ended", async () => {
  const inits = [{ name: "first", image: "x" }];
  const status = waiting("PodInitializing", "");
  const running = { startedAt: "2024-01-01T00:00:00Z" };
  const [main] = status["containerStatuses"] as JsonObject[];
  const first = { ...main, name: "first", state: { running }, started: true };
  await make(PODS, "Pod", "begins", onNode({ initContainers: inits }), { ...status, initContainerStatuses: [first] });
  equal(
    await why("pod/begins"),
    "  init container first runs, and what comes after it waits for its end\n    → kubectl logs begins -c first",
  );
});

test("an image that is refused, not there, or out of reach", async () => {
  const pull = async (name: string, message: string): Promise<string> => {
    const pod = await make(PODS, "Pod", name, onNode(), waiting("ImagePullBackOff", "Back-off pulling image"));
    await tell(pod, "Failed", `Failed to pull image "${CONTAINER.image}": ${message}`);
    return (await why(`pod/${name}`)).split("\n").slice(1).join("\n");
  };
  equal(
    await pull("refused", "no basic auth credentials"),
    `    registry reg.example:5000 refuses reg.example:5000/app:1: the pod names no imagePullSecrets
      Failed to pull image "reg.example:5000/app:1": no basic auth credentials
      → kubectl create secret docker-registry NAME --docker-server=reg.example:5000 --docker-username=… --docker-password=…`,
  );
  equal(
    await pull("unknown", "manifest unknown"),
    `    registry reg.example:5000 has no reg.example:5000/app:1
      Failed to pull image "reg.example:5000/app:1": manifest unknown
      → check its name and tag: skopeo list-tags docker://reg.example:5000/app`,
  );
  const named = onNode({ imagePullSecrets: [{ name: "login" }] });
  const secretive = await make(PODS, "Pod", "secretive", named, waiting("ImagePullBackOff", ""));
  await tell(secretive, "Failed", `Failed to pull image "${CONTAINER.image}": 401 Unauthorized`);
  equal(
    (await why("pod/secretive")).split("\n").slice(3).join("\n"),
    `      its imagePullSecret login is not there
        → kubectl create secret docker-registry login --docker-server=reg.example:5000 --docker-username=… --docker-password=…`,
  );
  equal(
    (await pull("away", "connect ECONNREFUSED 127.0.0.1:5000")).split("\n")[0],
    "    registry reg.example:5000 cannot be reached",
  );
});

test("a container that cannot be made: what is missing", async () => {
  await make(PODS, "Pod", "unmade", onNode(), waiting("CreateContainerConfigError", 'configmap "conf" not found'));
  equal(
    await why("pod/unmade"),
    `  container c cannot be made: configmap "conf" not found
    → kubectl create configmap conf --from-literal=KEY=VALUE`,
  );
  const pod = await make(PODS, "Pod", "unmounted", onNode(), waiting("ContainerCreating", ""));
  await tell(pod, "FailedMount", "hostPath type check failed: /none is not a Directory");
  equal(
    await why("pod/unmounted"),
    `  container c waits: a volume is missing
    hostPath type check failed: /none is not a Directory`,
  );
});

test("a container that ends again and again: how, and which probe ended it", async () => {
  const terminated = { exitCode: 137, reason: "OOMKilled", message: "dying" };
  const status = waiting("CrashLoopBackOff", "back-off 10s");
  const [first] = status["containerStatuses"] as JsonObject[];
  Object.assign(first ?? {}, { restartCount: 4, lastState: { terminated } });
  const container = { ...CONTAINER, resources: { limits: { memory: "8Mi" } } };
  const pod = await make(PODS, "Pod", "crashing", onNode({ containers: [container] }), status);
  await tell(pod, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500");
  await tell(pod, "Killing", "Container c failed liveness probe, will be restarted");
  equal(
    await why("pod/crashing"),
    `  container c ends again and again (4 restarts), and waits before the next time
    container c ended with exit code 137: it was killed (SIGKILL)
      → kubectl logs crashing -c c --previous
      its liveness probe failed, and it was ended: Liveness probe failed: HTTP probe failed with statuscode: 500
      it used more memory than its limit of 8Mi
        → raise resources.limits.memory
      it said: dying`,
  );
});

test("a container that is not ready, and a gate that is not open", async () => {
  const running = {
    state: { running: { startedAt: "2024-01-01T00:00:00Z" } },
    started: true,
    restartCount: 0,
    image: "",
    imageID: "",
  };
  const probed = { ...CONTAINER, readinessProbe: { exec: { command: ["false"] } } };
  const status = { phase: "Running", containerStatuses: [{ ...running, name: "c", ready: false }] };
  const pod = await make(PODS, "Pod", "unready", onNode({ containers: [probed] }), status);
  await tell(pod, "Unhealthy", "Readiness probe failed: no", "spec.containers{c}");
  await tell(pod, "Unhealthy", "Readiness probe failed: not here", "spec.containers{another}");
  equal(
    (await why("pod/unready")).split("\n").slice(0, 2).join("\n"),
    "  container c runs and is not ready\n    Readiness probe failed: no",
  );
  const fine = { phase: "Running", containerStatuses: [{ ...running, name: "c", ready: true }] };
  const sick = await make(PODS, "Pod", "sick", onNode(), {
    ...fine,
    containerStatuses: [{ ...running, name: "c", ready: true, restartCount: 2 }],
  });
  equal(await why("pod/sick"), "");
  await tell(sick, "Unhealthy", "Liveness probe failed: no", "spec.containers{c}");
  equal(
    (await why("pod/sick")).split("\n").slice(0, 2).join("\n"),
    "  container c runs, and is ended and started again for its liveness probe (2 restarts)\n    Liveness probe failed: no",
  );
  await make(PODS, "Pod", "gated", onNode({ readinessGates: [{ conditionType: "example.com/fed" }] }), fine);
  equal(
    await why("pod/gated"),
    "  its readiness gate example.com/fed is not open: whoever looks after that condition has not set it",
  );
});

test("a pod that was evicted, and a node that does not answer", async () => {
  const status = { phase: "Failed", reason: "Evicted", message: "The node was low on resource: memory." };
  await make(PODS, "Pod", "evicted", onNode(), status);
  equal(await why("pod/evicted"), "  it has failed (Evicted): The node was low on resource: memory.");
  const message = "container runtime is down: its socket does not answer";
  const conditions = [{ type: "Ready", status: "False", reason: "KubeletNotReady", message }];
  await make(NODES, "Node", "two", {}, { conditions });
  await client.patch({ ...NODES, name: "two" }, "merge", { spec: { taints: null, unschedulable: true } });
  equal(
    await why("node/two"),
    `  Ready is False: ${message}
    → boxship info starts the engine and tells how it is
  it is cordoned: it takes no pods
    → kubectl uncordon two`,
  );
});

test("a claim without a volume", async () => {
  const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  await make(
    CLAIMS,
    "PersistentVolumeClaim",
    "data",
    { spec: { ...spec, storageClassName: "fast" } },
    { phase: "Pending" },
  );
  equal(
    await why("pvc/data"),
    "  claim data wants the storage class fast, which is not there (there are: none)\n    → make the storage class fast, or: kubectl delete pvc data, and make it again with another class: its class cannot change",
  );
  const classes = { group: "storage.k8s.io", version: "v1", resource: "storageclasses" };
  await make(classes, "StorageClass", "fast", {
    provisioner: "example.com/disk",
    volumeBindingMode: "WaitForFirstConsumer",
  });
  equal(
    await why("pvc/data"),
    "  claim data waits for a pod that mounts it: class fast makes volumes where the pod is",
  );
});

test("a workload whose pods a quota refuses, and one that is suspended", async () => {
  const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "x" }] } };
  const spec = { replicas: 2, selector: { matchLabels: { app: "web" } }, template };
  const set = await make(SETS, "ReplicaSet", "web", { spec }, { replicas: 0 });
  const told =
    'Error creating: pods "web-1" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3';
  await tell(set, "FailedCreate", told);
  equal(
    await why("rs/web"),
    `  its pods are refused
    quota small leaves no room: a pod asks for pods=1, pods=3 is used, pods=3 is allowed
      → kubectl describe resourcequota small`,
  );
  const job = { spec: { suspend: true, template: { spec: { ...template.spec, restartPolicy: "Never" } } } };
  await make({ group: "batch", version: "v1", resource: "jobs", namespace: "default" }, "Job", "later", job);
  equal((await why("job/later")).split("\n")[0], "  it is suspended");
});

test("pods that are refused by the level of their namespace, by a webhook, or for want of an account", async () => {
  const template = { metadata: { labels: { app: "x" } }, spec: { containers: [{ name: "c", image: "x" }] } };
  const refused = async (name: string, message: string): Promise<string> => {
    const spec = { replicas: 1, selector: { matchLabels: { app: "x" } }, template };
    await tell(await make(SETS, "ReplicaSet", name, { spec }, { replicas: 0 }), "FailedCreate", message);
    return (await why(`rs/${name}`)).split("\n").slice(1).join("\n");
  };
  equal(
    await refused(
      "level",
      'Error creating: pods "level-1" is forbidden: violates PodSecurity "baseline:latest": host namespaces',
    ),
    `    violates PodSecurity "baseline:latest": host namespaces
      → kubectl get namespace default --show-labels says which level is enforced`,
  );
  const denied = 'Error creating: admission webhook "policy.example.com" denied the request: no';
  equal(await refused("hook", denied), `    the admission webhook policy.example.com refuses them: ${denied}`);
  equal(
    (
      await refused(
        "account",
        'Error creating: error looking up service account default/robot: serviceaccount "robot" not found',
      )
    ).split("→ ")[1],
    "kubectl create serviceaccount robot",
  );
});

test("what goes with others: a volume that a claim has, an owner whose own go first", async () => {
  const volumes = { group: "", version: "v1", resource: "persistentvolumes" };
  const spec = {
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOnce"],
    hostPath: { path: "/data" },
    claimRef: { namespace: "shop", name: "data" },
  };
  await make(volumes, "PersistentVolume", "kept", { metadata: { finalizers: ["kubernetes.io/pv-protection"] }, spec });
  await client.delete({ ...volumes, name: "kept" });
  equal(
    (await why("pv/kept")).split("\n").slice(1).join("\n"),
    "    finalizer kubernetes.io/pv-protection: the claim shop/data has it\n      → kubectl delete pvc data -n shop",
  );
  const template = { metadata: { labels: { app: "own" } }, spec: { containers: [{ name: "c", image: "x" }] } };
  const owner = await make(SETS, "ReplicaSet", "owner", {
    spec: { replicas: 1, selector: { matchLabels: { app: "own" } }, template },
  });
  const { uid = "" } = owner.metadata;
  const reference = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "owner", uid, controller: true };
  await make(PODS, "Pod", "owned", { ...onNode(), metadata: { ownerReferences: [reference] } });
  await client.delete({ ...SETS, name: "owner" }, { propagationPolicy: "Foreground" });
  equal(
    (await why("rs/owner")).split("\n")[1],
    "    finalizer foregroundDeletion: what belongs to it goes first: pod/owned",
  );
});

test("a service that nobody is behind, and the causes of its pods", async () => {
  const services = { ...PODS, resource: "services" };
  await make(services, "Service", "none", { spec: { selector: { app: "none" }, ports: [{ port: 80 }] } });
  equal(
    await why("svc/none"),
    "  nobody is behind it: no pod has the labels app=none\n    → kubectl get pods --show-labels",
  );
  await make(
    PODS,
    "Pod",
    "behind",
    { metadata: { labels: { app: "shop" } }, ...onNode() },
    waiting("ErrImageNeverPull", ""),
  );
  await make(services, "Service", "shop", { spec: { selector: { app: "shop" }, ports: [{ port: 80 }] } });
  equal(
    (await why("svc/shop")).split("\n").slice(0, 3).join("\n"),
    `  nobody is behind it: none of 1 pods with app=shop is ready
    pod/behind is not ready
      container c has no image: reg.example:5000/app:1 is not here, and its pull policy is Never`,
  );
});

test("what is being deleted: which finalizer holds it, and whose it is", async () => {
  const maps = { ...PODS, resource: "configmaps" };
  await client.create(
    maps,
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "held", finalizers: ["example.com/clean"] },
    },
    { fieldManager: "cleaner" },
  );
  await client.delete({ ...maps, name: "held" });
  const text = await why("cm/held");
  equal(/is held\n {4}(.*)\n/.exec(text)?.[1], 'finalizer example.com/clean is for "cleaner" to remove');
  const byHand = { name: "by-hand", finalizers: ["example.com/clean"] };
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: byHand };
  await client.create(maps, object, { fieldManager: "kubectl-create" });
  await client.delete({ ...maps, name: "by-hand" });
  equal(
    /is held\n {4}(.*)\n/.exec(await why("cm/by-hand"))?.[1],
    'finalizer example.com/clean is for the controller of example.com to remove; it was written by "kubectl-create"',
  );
  const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  const finalizers = ["kubernetes.io/pvc-protection"];
  await make(CLAIMS, "PersistentVolumeClaim", "used", { metadata: { finalizers }, spec });
  await make(PODS, "Pod", "user", onNode({ volumes: [{ name: "v", persistentVolumeClaim: { claimName: "used" } }] }));
  await client.delete({ ...CLAIMS, name: "used" });
  equal(
    (await why("pvc/used")).split("\n").slice(1).join("\n"),
    "    finalizer kubernetes.io/pvc-protection: pods mount it: user\n      → kubectl delete pod user",
  );
});

test("a namespace that does not go: what is left in it, and what holds that", async () => {
  const namespaces: Of = { group: "", version: "v1", resource: "namespaces" };
  const maps = { ...PODS, resource: "configmaps", namespace: "stuck" };
  await make(namespaces, "Namespace", "stuck", {});
  const held = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "left", finalizers: ["example.com/clean"] } };
  await client.create(maps, held, { fieldManager: "cleaner" });
  await client.delete({ ...maps, name: "left" });
  await client.delete({ ...namespaces, name: "stuck" });
  const condition = (type: string, message: string): JsonObject => ({ type, status: "True", reason: type, message });
  const conditions = [
    condition("NamespaceContentRemaining", "Some resources are remaining: configmaps. has 1 resource instances"),
    condition("NamespaceDeletionDiscoveryFailure", "Discovery failed for some groups, 1 failing: metrics.k8s.io/v1"),
  ];
  let text = "";
  // Who takes namespaces away tells of them as well, and may have the last word.
  for (let tries = 0; tries < 100 && !text.includes("Discovery failed"); tries++) {
    await client.patch(
      { ...namespaces, name: "stuck" },
      "merge",
      { status: { conditions } },
      { subresource: "status" },
    );
    text = await why("ns/stuck");
  }
  const [first, second, third, fourth, fifth] = text.split("\n");
  equal(first, "  it is being deleted");
  equal(second, "    Some resources are remaining: configmaps. has 1 resource instances");
  equal(third, "      configmap/left");
  equal(fourth?.replace(/since \S+,/, "since then,"), "        it is being deleted since then, and is held");
  equal(fifth, '          finalizer example.com/clean is for "cleaner" to remove');
  assert.ok(text.split("\n").includes("      → kubectl get apiservices shows whose server is away"), text);
});

const own = ({ apiVersion, kind, metadata: { name = "", uid = "" } }: KubeObject): JsonObject => ({
  metadata: { ownerReferences: [{ apiVersion, kind, name, uid, controller: true }] },
});

test("a stateful set that waits for its first pod, and one whose pods keep an older template", async () => {
  const template = { metadata: { labels: { app: "db" } }, spec: { containers: [{ name: "c", image: "x" }] } };
  const sets: Of = { ...SETS, resource: "statefulsets" };
  const spec = { replicas: 3, serviceName: "db", selector: { matchLabels: { app: "db" } }, template };
  const set = await make(sets, "StatefulSet", "db", { spec }, { replicas: 1, updatedReplicas: 1 });
  await make(
    PODS,
    "Pod",
    "db-0",
    { ...onNode(), ...own(set) },
    waiting("CreateContainerConfigError", 'secret "word" not found'),
  );
  equal(
    await why("sts/db"),
    `  pod/db-0 is not ready
    container c cannot be made: secret "word" not found
      → kubectl create secret generic word --from-literal=KEY=VALUE`,
  );
  const old = { ...spec, updateStrategy: { type: "OnDelete" } };
  await make(sets, "StatefulSet", "old", { spec: old }, { replicas: 3, updatedReplicas: 1 });
  equal(
    await why("sts/old"),
    "  pods of an older template stay until somebody deletes them (updateStrategy OnDelete)\n    → kubectl delete pod NAME",
  );
});

test("a daemon set without a node", async () => {
  const spec = { containers: [{ name: "c", image: "x" }], nodeSelector: { metal: "yes" } };
  const template = { metadata: { labels: { app: "agent" } }, spec };
  const sets: Of = { ...SETS, resource: "daemonsets" };
  const selector = { matchLabels: { app: "agent" } };
  await make(sets, "DaemonSet", "agent", { spec: { selector, template } }, { desiredNumberScheduled: 0 });
  equal(
    (await why("ds/agent")).split("\n").slice(0, 3).join("\n"),
    `  it wants a node with metal=yes
    node one has no label metal=yes
      → kubectl label node one metal=yes`,
  );
});

test("a job that has failed: how its last pod ended; the cron job that made it", async () => {
  const jobs: Of = { group: "batch", version: "v1", resource: "jobs", namespace: "default" };
  const template = { spec: { containers: [{ name: "c", image: "x" }], restartPolicy: "Never" } };
  const cron = await make({ ...jobs, resource: "cronjobs" }, "CronJob", "nightly", {
    spec: { schedule: "0 3 * * *", suspend: true, jobTemplate: { spec: { template } } },
  });
  const job = await make(jobs, "Job", "nightly-1", { ...own(cron), spec: { template } });
  const message = "Job has reached the specified backoff limit";
  const failed = ["FailureTarget", "Failed"].map((type) => {
    const at = new Date().toISOString().replace(/\.\d+/, "");
    return { type, status: "True", reason: "BackoffLimitExceeded", message, lastTransitionTime: at };
  });
  const status = { conditions: failed, failed: 1, startTime: failed[0]?.lastTransitionTime ?? "" };
  await client.patch({ ...jobs, name: "nightly-1" }, "merge", { status }, { subresource: "status" });
  const terminated = { exitCode: 3, reason: "Error", message: "no space left" };
  const ended = { name: "c", image: "", imageID: "", ready: false, restartCount: 0, state: { terminated } };
  await make(PODS, "Pod", "nightly-1-x", { ...onNode(), ...own(job) }, { phase: "Failed", containerStatuses: [ended] });
  const said = await why("job/nightly-1");
  equal(
    said,
    `  Job has reached the specified backoff limit
  pod/nightly-1-x has failed
    container c ended with exit code 3
      → kubectl logs nightly-1-x -c c
      it said: no space left`,
  );
  const lines = (await why("cj/nightly")).split("\n");
  equal(lines[0], "  it is suspended");
  equal(lines[2], "  its last job/nightly-1 is not well");
  equal(lines[3], `    ${message}`);
});

test("a pod that should end on a node that does not answer", async () => {
  const conditions = [{ type: "Ready", status: "Unknown", reason: "NodeStatusUnknown", message: "no word from it" }];
  await make(NODES, "Node", "silent", {}, { conditions });
  await make(PODS, "Pod", "ending", { spec: { nodeName: "silent", containers: [CONTAINER] } });
  await client.delete({ ...PODS, name: "ending" });
  equal(
    (await why("pod/ending"))
      .replace(/until \S+,/, "until then,")
      .split("\n")
      .slice(0, 3)
      .join("\n"),
    `  it is ending: its containers have until then, then they are killed
    node silent does not answer, and nobody else can end them
      → kubectl delete pod ending --grace-period=0 --force`,
  );
  equal((await why("node/silent")).split("\n")[0], "  Ready is Unknown: no word from it");
});

test("any other kind: its conditions that are not as they should be, and what was warned of", async () => {
  const scalers: Of = {
    group: "autoscaling",
    version: "v2",
    resource: "horizontalpodautoscalers",
    namespace: "default",
  };
  const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
  const conditions = [
    { type: "AbleToScale", status: "True", reason: "SucceededGetScale", message: "fine" },
    { type: "ScalingActive", status: "False", reason: "FailedGetResourceMetric", message: "no metrics from pods" },
    { type: "ScalingLimited", status: "False", reason: "DesiredWithinRange", message: "" },
  ];
  const scaler = await make(scalers, "HorizontalPodAutoscaler", "web", { spec: { maxReplicas: 3, scaleTargetRef } });
  const status = { conditions, currentReplicas: 0, desiredReplicas: 0 };
  await client.patch({ ...scalers, name: "web" }, "merge", { status }, { subresource: "status" });
  await tell(scaler, "FailedGetResourceMetric", "unable to get metric cpu");
  equal(
    await why("hpa/web"),
    "  ScalingActive is False: no metrics from pods\n  FailedGetResourceMetric: unable to get metric cpu",
  );
});

test("what is as it should be says so", async () => {
  await make({ ...PODS, resource: "configmaps" }, "ConfigMap", "fine", {});
  const { stdout, status } = await kubectlHere(["why", "cm", "fine"], { kubeconfig: server.kubeconfig, home });
  equal(stdout, "configmap/fine is as it should be: nothing stands in its way\n");
  equal(status, 0);
});
