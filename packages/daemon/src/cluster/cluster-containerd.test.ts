import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  busyboxEntries,
  kubectl,
  pushFixture,
  runProgram,
  startCluster,
  startContainerd,
  startRegistry,
  tempDir,
} from "@boxship/testkit";

const skip =
  kubectl("", "") === undefined
    ? "kubectl cannot be had here"
    : existsSync("/usr/lib/cni/bridge")
      ? false
      : "the reference plugins are not here";

/** A network that no other test has. */
const SUBNET = "10.216.0.0/24";
const BRIDGE = "boxcd216";

const conflist = (leases: string): string =>
  JSON.stringify({
    cniVersion: "1.0.0",
    name: "pods216",
    plugins: [
      {
        type: "bridge",
        bridge: BRIDGE,
        isGateway: true,
        hairpinMode: true,
        ipam: { type: "host-local", dataDir: leases, ranges: [[{ subnet: SUBNET }]], routes: [{ dst: "0.0.0.0/0" }] },
      },
    ],
  });

const objects = (image: string): string => `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - name: c
    image: ${image}
    command:
    - sh
    - -c
    - |
      mkdir -p /www; echo served > /www/index.html
      httpd -p 8080 -h /www
      trap 'exit 0' TERM
      while read -r line; do echo "got $line"; done; while :; do sleep 0.1; done
    stdin: true
    readinessProbe: {httpGet: {port: 8080, path: /}, periodSeconds: 1, timeoutSeconds: 30}
    livenessProbe: {exec: {command: [test, "!", -e, /tmp/sick]}, periodSeconds: 1, timeoutSeconds: 30}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`;

test("another engine runs the pods: containerd with its own CNI plugins", { skip, timeout: 600_000 }, async (t) => {
  await using directory = tempDir();
  await using registry = await startRegistry();
  const layers = [{ entries: await busyboxEntries() }];
  const pause = await pushFixture(registry, "pause", { layers, config: { Cmd: ["/bin/sleep", "1000000"] } });
  const { reference: image } = await pushFixture(registry, "busybox", { layers, config: { Env: ["PATH=/bin"] } });
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => void (await runProgram(["ip", "link", "del", BRIDGE])));
  const containerd = stack.use(
    await startContainerd({ pause: pause.reference, conflist: conflist(directory.join("leases")) }),
  );
  const endpoint = ["--container-runtime-endpoint", `unix://${containerd.socket}`];
  await using cluster = await startCluster({ flags: endpoint });
  const { kube, tried, apply, field } = cluster;
  await apply(objects(image));
  await kube("wait", "pod/web", "--for=condition=Ready", "--timeout=120s");
  const curl = async (url: string) => (await runProgram(["curl", "-sS", "-m", "10", url])).stdout;

  await t.test("with addresses, services and names", async () => {
    assert.match(await field("pod/web", "{.status.podIP}"), /^10\.216\.0\.\d+$/);
    assert.match(await field("node", "{.items[0].status.nodeInfo.containerRuntimeVersion}"), /^containerd:\/\/1\./);
    assert.match(await field("pod/web", "{.status.containerStatuses[0].containerID}"), /^containerd:\/\/[0-9a-f]{64}$/);
    const service = await field("service/web", "{.spec.clusterIP}");
    assert.equal(await curl(`http://${service}/`), "served\n");
    // It has no address of IPv6, which is a failure to busybox.
    const { stdout: names } = await tried(["exec", "web", "--", "nslookup", "web.default.svc.cluster.local"]);
    assert.ok(names.includes(`Address: ${service}`), names);
    assert.match(await kube("get", "--raw", "/apis/metrics.k8s.io/v1beta1/pods"), /"items"/);
  });

  await t.test("exec, attach, logs and port-forward", async () => {
    const failed = await tried(["exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    assert.deepEqual([failed.status, failed.stdout], [3, "out\n"]);
    assert.match(failed.stderr, /err/);
    assert.equal((await tried(["exec", "-i", "web", "--", "cat"], { input: "through" })).stdout, "through");
    assert.equal((await tried(["attach", "-i", "web"], { input: "hello\n" })).status, 0);
    for (let tries = 0; !(await kube("logs", "web")).includes("got hello"); tries++) {
      assert.ok(tries < 100, "what was attached is not in the log");
      await setTimeout(100);
    }
    await using forwarded = await cluster.forward("pod/web", 8080);
    assert.equal(await curl(`http://127.0.0.1:${forwarded.port}/`), "served\n");
  });

  await t.test("what is sick is started again, and what is deleted leaves nothing", async () => {
    const before = await field("pod/web", "{.status.containerStatuses[0].containerID}");
    await kube("exec", "web", "--", "touch", "/tmp/sick");
    await cluster.until("pod/web", "{.status.containerStatuses[0].restartCount}", "1");
    await kube("wait", "pod/web", "--for=condition=Ready", "--timeout=120s");
    assert.notEqual(await field("pod/web", "{.status.containerStatuses[0].containerID}"), before);
    assert.match(await kube("logs", "web", "--previous"), /got hello/);
    const uid = await field("pod/web", "{.metadata.uid}");
    await kube("delete", "pod", "web", "--wait", "--timeout=120s");
    const ctr = (...words: readonly string[]) => runProgram(["ctr", "-a", containerd.socket, "-n", "k8s.io", ...words]);
    assert.equal((await ctr("containers", "ls", "-q")).stdout, "");
    assert.deepEqual(
      (await readdir(directory.join("leases/pods216"))).filter((file) => /^\d+\./.test(file)),
      [],
    );
    const groups = await readdir("/sys/fs/cgroup", { withFileTypes: true });
    for (const { name } of groups) {
      assert.equal(existsSync(`/sys/fs/cgroup/${name}/${cluster.engine.name}/kubepods/besteffort/pod${uid}`), false);
    }
  });
});
