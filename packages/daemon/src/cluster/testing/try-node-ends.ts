import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { detachMount, mount } from "@boxship/kernel";
import { type Cluster, logindPrograms, startLogind } from "@boxship/testkit";

const pod = (name: string, script: string, spec = ""): string => `
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  ${spec}
  containers:
  - {name: c, image: "busybox:latest", imagePullPolicy: Never, command: [sh, -c, ${JSON.stringify(script)}], volumeMounts: [{name: v, mountPath: /v}]}
`;

const WAIT = "while :; do sleep 0.1; done";
const condition = (type: string) => `{.status.conditions[?(@.type=="${type}")].status}`;
const SHUTDOWN = "Pod was terminated in response to imminent node shutdown.";

/**
 * What a node does with its pods when it runs short, and when its machine goes down. The cluster has no pods, and ends with other flags
 * than it began with.
 */
export async function tryNodeEnds(t: TestContext, cluster: Cluster): Promise<void> {
  const { apply, field, kube, nodeDirectory, told, until } = cluster;
  const node = await field("node", "{.items[0].metadata.name}");
  const spec = "terminationGracePeriodSeconds: 1\n  volumes: [{name: v, emptyDir: {}}]";
  await cluster.end("SIGTERM");
  // The disk of its pods is a small one.
  mount({ source: "tmpfs", target: nodeDirectory, type: "tmpfs", data: "size=48m" });
  try {
    await t.test("a node whose disk is full evicts who has most, keeps others away, and takes them again", async () => {
      const flags = ["--eviction-hard", "nodefs.available<24Mi", "--eviction-pressure-transition-period", "1s"];
      await cluster.start(undefined, true, flags);
      await apply(pod("modest", `echo > /v/file; ${WAIT}`, spec));
      await apply(
        pod("hog", `head -c 32000000 /dev/zero > /file; head -c 32000000 /dev/zero > /v/file; ${WAIT}`, spec),
      );
      await until("pod/hog", "{.status.reason}", "Evicted");
      const status = await field("pod/hog", "{.status.phase}: {.status.message}");
      assert.match(
        status,
        /^Failed: The node was low on resource: ephemeral-storage\. Threshold quantity: 24Mi, available: \d+(Ki|Mi)?\. Container c was using 3\d+(Ki)?, request is 0, has larger consumption of ephemeral-storage\. $/,
      );
      const disrupted = '{.status.conditions[?(@.type=="DisruptionTarget")].reason}';
      assert.equal(await field("pod/hog", disrupted), "TerminationByKubelet");
      await told("hog", /Warning +Evicted +pod\/hog +The node was low on resource: ephemeral-storage\./);
      await told(node, /Warning +EvictionThresholdMet +node\/\S+ +Attempting to reclaim ephemeral-storage/);
      await told(node, /NodeHasDiskPressure +node\/\S+ +Node \S+ status is now: NodeHasDiskPressure/);
      await until(`node/${node}`, condition("DiskPressure"), "False");
      await told(node, /NodeHasNoDiskPressure/);
      const taint = '{.spec.taints[?(@.key=="node.kubernetes.io/disk-pressure")].effect}';
      for (let tries = 0; (await field(`node/${node}`, taint)) !== ""; tries++) assert.ok(tries < 500);
      assert.equal(await field("pod/modest", "{.status.phase}"), "Running");
      await kube("delete", "pod", "--all", "--timeout=120s");
      await cluster.end("SIGTERM");
    });
    const skip = logindPrograms() === undefined ? "dbus-daemon or systemd-logind cannot be had here" : false;
    await t.test("a machine that goes down waits for its pods", { skip }, () => tryShutdown(cluster, node));
    await cluster.start();
    // What ended with the machine stays so, whoever looks at it next.
    if (skip === false) assert.equal(await ends(cluster), ENDS);
    await kube("delete", "pod", "--all", "--timeout=120s");
    await cluster.end("SIGTERM");
  } finally {
    detachMount(nodeDirectory);
  }
}

const ENDS = `critical Failed Terminated ${SHUTDOWN}
done Succeeded  
late Failed NodeShutdown Pod was rejected: Pod was rejected as the node is shutting down.
stubborn Failed Terminated ${SHUTDOWN}
worker Failed Terminated ${SHUTDOWN}
`;

/** How those pods are, or ended. */
async function ends({ kube }: Cluster): Promise<string> {
  const line = "{.metadata.name} {.status.phase} {.status.reason} {.status.message}";
  return await kube("get", "pods", "-o", `jsonpath={range .items[*]}${line}{'\\n'}{end}`);
}

async function tryShutdown(cluster: Cluster, node: string): Promise<void> {
  const { apply, field, home, kube, told, until } = cluster;
  const directory = `${home}/told`;
  mkdirSync(directory);
  const volumes = `volumes: [{name: v, hostPath: {path: ${directory}}}]`;
  await using logind = await startLogind(60);
  const flags = ["--shutdown-grace-period", "40s", "--shutdown-grace-period-critical-pods", "20s"];
  await cluster.start(undefined, true, flags, { DBUS_SYSTEM_BUS_ADDRESS: logind.address });
  const tells = (word: string) => `trap 'echo ${word} >> /v/order; exit 0' TERM; touch /v/${word}; ${WAIT}`;
  await apply(
    pod("worker", tells("worker"), volumes) +
      pod("stubborn", `trap '' TERM; touch /v/stubborn; ${WAIT}`, `terminationGracePeriodSeconds: 1\n  ${volumes}`) +
      pod("done", "true", `restartPolicy: Never\n  ${volumes}`) +
      pod("critical", tells("critical"), `priorityClassName: system-node-critical\n  ${volumes}`),
  );
  await until("pod/done", "{.status.phase}", "Succeeded");
  const isUp = (name: string) => existsSync(`${directory}/${name}`);
  while (!["worker", "stubborn", "critical"].every(isUp)) await new Promise((resolve) => setTimeout(resolve, 50));
  // It is listening as soon as it has a lock.
  while ((await logind.locks()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  await logind.powerOff();
  assert.equal(await logind.goesDown(), "poweroff.target");
  assert.equal(readFileSync(`${directory}/order`, "utf8"), "worker\ncritical\n");
  await apply(pod("late", WAIT, `nodeName: ${node}\n  ${volumes}`));
  await told("late", /Warning +NodeShutdown +pod\/late +Pod was rejected as the node is shutting down\./);
  await until("pod/late", "{.status.phase}", "Failed");
  const metrics = await kube("get", "--raw", `/api/v1/nodes/${node}/proxy/metrics`);
  const [start = 0, end = 0] = ["start", "end"].map((word) =>
    Number(new RegExp(`^kubelet_graceful_shutdown_${word}_time_seconds (\\S+)$`, "m").exec(metrics)?.[1]),
  );
  assert.ok(start > 1e9 && end > start, `${start} ${end}`);
  assert.equal(await ends(cluster), ENDS);
  const ready = '{range .status.conditions[?(@.type=="Ready")]}{.status} {.reason} {.message}{end}';
  assert.equal(await field(`node/${node}`, ready), "False KubeletNotReady node is shutting down");
  logind.cancel();
  await until(`node/${node}`, condition("Ready"), "True");
  const events = await told(node, /NodeShutdown +node\/\S+ +Shutdown manager detected shutdown cancellation/);
  assert.match(events, /NodeShutdown +node\/\S+ +Shutdown manager detected shutdown event/);
  await apply(pod("after", WAIT, `terminationGracePeriodSeconds: 0\n  ${volumes}`));
  await kube("wait", "pod/after", "--for=condition=Ready", "--timeout=120s");
  await kube("delete", "pod", "after");
  await cluster.end("SIGTERM");
}
