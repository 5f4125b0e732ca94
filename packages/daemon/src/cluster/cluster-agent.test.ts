import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { test } from "node:test";
import { openCgroup } from "@boxship/kernel";
import { cliProgram, kubectl, REGISTRY_USER, runProgram, startCluster, startRegistry } from "@boxship/testkit";

const skip = kubectl("", "") === undefined ? "kubectl cannot be had here" : false;

/** A pod of one container, both with further fields as they are in YAML. */
function pod(name: string, script: string, { container = "", spec = "", meta = "" } = {}): string {
  return `
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}${meta}}
spec:
  terminationGracePeriodSeconds: 1
${spec}
  containers:
  - name: c
    image: busybox:latest
    imagePullPolicy: Never
    command: [sh, -c, ${JSON.stringify(script)}]
${container}
`;
}

const WAIT = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
const SERVE = `mkdir /www; touch /www/ready /www/live; httpd -p 8080 -h /www; ${WAIT}`;

const OBJECTS = (at: {
  readonly host: string;
  readonly port: number;
  readonly grpc: number;
  readonly free: number;
}) => `
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {color: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: word}
stringData: {pass: swordfish}
${pod("probed", SERVE, {
  container: `
    ports: [{name: web, containerPort: 8080, hostPort: ${at.free}}]
    startupProbe: {tcpSocket: {port: web}, periodSeconds: 1, failureThreshold: 60}
    readinessProbe: {httpGet: {path: /ready, port: web}, periodSeconds: 1, failureThreshold: 1}
    livenessProbe: {httpGet: {path: /live, port: 8080}, periodSeconds: 1, failureThreshold: 1}`,
})}
${pod("never-starts", WAIT, {
  container: `    startupProbe: {exec: {command: [sh, -c, "echo no; false"]}, periodSeconds: 1, failureThreshold: 1}`,
})}
${pod("grpc", WAIT, {
  spec: "  hostNetwork: true",
  container: `    readinessProbe: {grpc: {port: ${at.grpc}, service: shop}, periodSeconds: 1}`,
})}
${pod("hooks", WAIT, {
  container: `
    volumeMounts: [{name: out, mountPath: /out}]
    lifecycle:
      postStart: {exec: {command: [sh, -c, "echo began > /out/began"]}}
      preStop: {httpGet: {host: 127.0.0.1, port: ${at.port}, path: /bye}}`,
  spec: `  volumes: [{name: out, hostPath: {path: ${at.host}/made, type: DirectoryOrCreate}}]`,
})}
${pod("bad-hook", WAIT, { container: `    lifecycle: {postStart: {exec: {command: [sh, -c, "echo not so; exit 4"]}}}` })}
${pod("late", WAIT, { spec: "  activeDeadlineSeconds: 1" })}
${pod("no-directory", WAIT, { spec: `  volumes: [{name: v, hostPath: {path: ${at.host}/none, type: Directory}}]` })}
${pod("a-file", WAIT, { spec: `  volumes: [{name: v, hostPath: {path: ${at.host}/file, type: FileOrCreate}}, {name: s, hostPath: {path: ${at.host}/file, type: Socket}}]` })}
${pod("env", `env > /tmp/env; touch /tmp/done; ${WAIT}`, {
  meta: ", labels: {app: env, tier: one}, annotations: {note: first}",
  container: `
    envFrom:
    - {prefix: CONF_, configMapRef: {name: conf}}
    - {secretRef: {name: word}}
    - {configMapRef: {name: none, optional: true}}
    volumeMounts: [{name: self, mountPath: /self}]
    readinessProbe: {exec: {command: [test, -e, /tmp/done]}, periodSeconds: 1}`,
  spec: `
  readinessGates: [{conditionType: example.com/fed}]
  volumes: [{name: self, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}, {path: cpu, resourceFieldRef: {containerName: c, resource: requests.cpu}}]}}]`,
})}
${pod("env-missing", WAIT, { container: "    envFrom: [{configMapRef: {name: none}}]" })}
${pod(
  "limited",
  `until [ -e /go ]; do sleep 0.1; done; yes 0123456789abcdef0123456789abcdef | head -c 24000000; ${WAIT}`,
  {
    container: "    resources: {limits: {memory: 64Mi, cpu: 500m}}",
  },
)}
${pod("hoarder", `head -c 3000000 /dev/zero > /v/file; ${WAIT}`, {
  container: "    volumeMounts: [{name: v, mountPath: /v}]",
  spec: "  volumes: [{name: v, emptyDir: {sizeLimit: 1Mi}}]",
})}
${pod("small-memory", `df -k /m | tail -1 > /tmp/size; touch /tmp/done; ${WAIT}`, {
  container: `
    volumeMounts: [{name: m, mountPath: /m}, {name: i, mountPath: /image}]
    readinessProbe: {exec: {command: [test, -e, /tmp/done]}, periodSeconds: 1}`,
  spec: `
  volumes: [{name: m, emptyDir: {medium: Memory, sizeLimit: 2Mi}}, {name: i, image: {reference: "busybox:latest", pullPolicy: Never}}]`,
})}
${pod("shared", `trap 'exit 0' TERM; sleep 4321 & wait`, {
  spec: "  shareProcessNamespace: true\n  initContainers: [{name: side, restartPolicy: Always, image: \"busybox:latest\", imagePullPolicy: Never, command: [sleep, '1234']}]",
})}
${pod("huge", WAIT, { container: "    resources: {requests: {cpu: 640}}" })}
${pod("forbidden", WAIT, { spec: "  securityContext: {sysctls: [{name: net.ipv4.ip_forward, value: '1'}]}" })}
${pod("tuned", WAIT, {
  spec: "  securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: '1'}, {name: net.core.somaxconn, value: '77'}, {name: fs.mqueue.msg_max, value: '7'}]}",
})}
${pod("root", WAIT, { spec: "  securityContext: {runAsNonRoot: true}" })}
${pod("profiled", `mkdir /tmp/made; ${WAIT}`, {
  spec: "  securityContext: {seccompProfile: {type: Localhost, localhostProfile: profiles/no-mkdir.json}}",
})}
`;

const PROFILE = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }],
};

/** Says of a service that it is well (1), or not (2). */
async function startHealth() {
  let status = 2;
  const asked: string[] = [];
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("data", (bytes: Buffer) => asked.push(`${String(headers[":path"])} ${bytes.subarray(7).toString()}`));
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.on("end", () => stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status])));
    stream.on("error", () => {});
  });
  server.listen(0);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    set: (next: number) => (status = next),
    [Symbol.dispose]: () => server.close(),
  };
}

async function startHttp() {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, asked, [Symbol.dispose]: () => server.close() };
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const READY = `{.status.conditions[?(@.type=="Ready")].status}`;

test("the node keeps what pods are promised", { skip, timeout: 600_000 }, async (t) => {
  using health = await startHealth();
  using web = await startHttp();
  await using registry = await startRegistry({ auth: "htpasswd" });
  await using cluster = await startCluster({ flags: ["--allowed-unsafe-sysctls", "net.core.*,fs.mqueue.msg_max"] });
  const { apply, engine, field, home, kube, nodeDirectory, told, tried, until } = cluster;
  mkdirSync(`${nodeDirectory}/seccomp/profiles`, { recursive: true });
  writeFileSync(`${nodeDirectory}/seccomp/profiles/no-mkdir.json`, JSON.stringify(PROFILE));
  const free = await freePort();
  await apply(OBJECTS({ host: home, port: web.port, grpc: health.port, free }));
  const ready = (name: string, is = "True") => until(`pod/${name}`, READY, is);
  const waits = (name: string, reason: string) =>
    until(`pod/${name}`, "{.status.containerStatuses[0].state.waiting.reason}", reason);
  const restarted = async (name: string) => {
    const count = "{.status.containerStatuses[0].restartCount}";
    for (let tries = 0; Number(await field(`pod/${name}`, count)) === 0; tries++) assert.ok(tries < 1000);
  };
  const exec = (name: string, ...command: readonly string[]) => kube("exec", name, "--", ...command);

  await t.test(
    "probes: who fails to be ready is not, who fails to live is started again, with the reason",
    async () => {
      await ready("probed");
      const address = await field("pod/probed", "{.status.podIP}");
      assert.equal((await fetch(`http://${address}:8080/ready`)).status, 200);
      await exec("probed", "rm", "/www/ready");
      await ready("probed", "False");
      assert.equal(await field("pod/probed", "{.status.containerStatuses[0].restartCount}"), "0");
      await exec("probed", "touch", "/www/ready");
      await ready("probed");
      await exec("probed", "rm", "/www/live");
      await restarted("probed");
      const events = await told("probed", /Container c failed liveness probe, will be restarted/);
      assert.match(events, /Readiness probe failed: HTTP probe failed with statuscode: 404/);
      assert.match(events, /Liveness probe failed: HTTP probe failed with statuscode: 404/);
      await restarted("never-starts");
      await told("never-starts", /Startup probe failed: no\n/);
    },
  );

  await t.test("a probe by gRPC, in the host's network", async () => {
    assert.equal(await field("pod/grpc", "{.status.podIP}"), await field("pod/grpc", "{.status.hostIP}"));
    await ready("grpc", "False");
    health.set(1);
    await ready("grpc");
    assert.equal(health.asked[0], "/grpc.health.v1.Health/Check shop");
    await told("grpc", /Readiness probe failed: service unhealthy \(responded with "NOT_SERVING"\)/);
  });

  await t.test("a port of the host is the pod's", async () => {
    await ready("probed");
    const address = await field("pod/probed", "{.status.hostIP}");
    assert.equal((await fetch(`http://${address}:${free}/ready`)).status, 200);
    await kube("delete", "pod", "probed");
    await assert.rejects(fetch(`http://${address}:${free}/ready`));
  });

  await t.test("hooks run after the start and before the end; one that fails ends its container", async () => {
    await ready("hooks");
    assert.equal(readFileSync(`${home}/made/began`, "utf8"), "began\n");
    await kube("delete", "pod", "hooks");
    assert.deepEqual(web.asked, ["/bye"]);
    await restarted("bad-hook");
    const events = await told("bad-hook", /FailedPostStartHook +pod\/bad-hook +PostStartHook failed$/m);
    assert.match(events, /Killing +pod\/bad-hook +FailedPostStartHook$/m);
    assert.doesNotMatch(events, /not so/, "it may be secret");
  });

  await t.test("a pod that ran for too long has failed, and its containers are ended", async () => {
    await until("pod/late", "{.status.phase}", "Failed");
    assert.equal(await field("pod/late", "{.status.reason}"), "DeadlineExceeded");
    await told("late", /Normal +DeadlineExceeded +pod\/late +Pod was active/);
    await until("pod/late", "{.status.containerStatuses[0].state.terminated.exitCode}", "0");
  });

  await t.test("paths of the host are what their types say, or the pod waits", async () => {
    await told(
      "no-directory",
      /FailedMount.*MountVolume.SetUp failed for volume "v" : hostPath type check failed: \S+\/none is not a Directory/,
    );
    await told("a-file", /FailedMount.*hostPath type check failed: \S+\/file is not a Socket/);
    assert.equal(await field("pod/no-directory", "{.status.phase}"), "Pending");
    assert.ok(existsSync(`${home}/file`));
    assert.ok(!existsSync(`${home}/none`));
  });

  await t.test("whole maps in the environment, and what the pod is told of itself", async () => {
    await until("pod/env", `{.status.conditions[?(@.type=="ContainersReady")].status}`, "True");
    const env = await exec("env", "cat", "/tmp/env");
    assert.match(env, /^CONF_color=blue$/m);
    assert.match(env, /^pass=swordfish$/m);
    assert.equal(await exec("env", "cat", "/self/labels"), 'app="env"\ntier="one"');
    assert.equal(await exec("env", "cat", "/self/cpu"), "0");
    await kube("label", "pod", "env", "tier=two", "--overwrite");
    for (let tries = 0; !(await exec("env", "cat", "/self/labels")).includes('tier="two"'); tries++)
      assert.ok(tries < 200);
    await waits("env-missing", "CreateContainerConfigError");
    await told("env-missing", /configmap "none" not found/);
    // What it waited for is there.
    await kube("create", "configmap", "none", "--from-literal=a=b");
    await ready("env-missing");
  });

  await t.test("a gate keeps a pod from being ready until somebody opens it", async () => {
    assert.equal(await field("pod/env", READY), "False");
    const condition = { type: "example.com/fed", status: "True", lastTransitionTime: "2024-01-01T00:00:00Z" };
    await kube(
      "patch",
      "pod",
      "env",
      "--subresource=status",
      "-p",
      JSON.stringify({ status: { conditions: [condition] } }),
    );
    await ready("env");
  });

  await t.test("a node that was given up while it stood still is well again, and its pods are ready", async () => {
    await ready("env");
    const node = await field("pod/env", "{.spec.nodeName}");
    const said = JSON.stringify({ status: { conditions: [{ type: "Ready", status: "Unknown" }] } });
    await kube("patch", "node", node, "--subresource=status", "-p", said);
    await told("env", /Warning +NodeNotReady +pod\/env +Node is not ready/);
    await until(`node/${node}`, READY, "True");
    await ready("env");
  });

  await t.test("nobody is root who must not be, and profiles of the node hold", async () => {
    await waits("root", "CreateContainerConfigError");
    await told("root", /container has runAsNonRoot and image will run as root/);
    await ready("profiled");
    assert.match(await kube("logs", "profiled"), /can't create directory '\/tmp\/made': Function not implemented/);
  });

  await t.test("kernel parameters are set if they are safe or allowed, or the pod is refused", async () => {
    await until("pod/forbidden", "{.status.reason}", "SysctlForbidden");
    const message = await field("pod/forbidden", "{.status.phase}: {.status.message}");
    assert.equal(message, 'Failed: Pod was rejected: forbidden sysctl: "net.ipv4.ip_forward" not allowlisted');
    await told("forbidden", /Warning +SysctlForbidden +pod\/forbidden +forbidden sysctl: /);
    await ready("tuned");
    const places = ["kernel/shm_rmid_forced", "net/core/somaxconn", "fs/mqueue/msg_max"];
    assert.equal(await exec("tuned", "cat", ...places.map((place) => `/proc/sys/${place}`)), "1\n77\n7\n");
  });

  await t.test(
    "a container that is added to a pod sees the processes of another, and its logs and end are told",
    async () => {
      const target = ["debug", "env", "-c", "look", "--image=busybox:latest", "--image-pull-policy=Never"];
      await kube(...target, "--target=c", "--", "sh", "-c", "ps | grep -v grep | grep -c /tmp/done; cat; exit 3");
      const look = '{.status.ephemeralContainerStatuses[?(@.name=="look")].state.terminated.exitCode}';
      await until("pod/env", look, "3");
      assert.match(await kube("logs", "env", "-c", "look"), /^[1-9]\n/);
      assert.equal(await field("pod/env", "{.status.phase}"), "Running");
      const typed = ["debug", "-i", "env", "-c", "typed", "--image=busybox:latest", "--image-pull-policy=Never"];
      const run = await cluster.tried([...typed, "--", "sh", "-c", "read line; echo got $line"], { input: "word\n" });
      assert.match(run.stdout, /got word/);
    },
  );

  await t.test("containers share their processes where the pod says so, and go when those are killed", async () => {
    await ready("shared");
    const seen = await kube(
      "exec",
      "shared",
      "-c",
      "side",
      "--",
      "sh",
      "-c",
      "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
    );
    assert.match(seen, /^boxship-pod .*sleep 4321/);
    await tried([
      "exec",
      "shared",
      "-c",
      "side",
      "--",
      "sh",
      "-c",
      "kill -9 $(grep -ls 43[2]1 /proc/[0-9]*/cmdline | cut -d/ -f3)",
    ]);
    await restarted("shared");
    await kube("delete", "pod", "shared");
  });

  await t.test("a pod's containers are limited together, and their logs are kept short", async () => {
    await ready("limited");
    const uid = await field("pod/limited", "{.metadata.uid}");
    const group = openCgroup(`/${engine.name}/kubepods/pod${uid}`);
    const directory = group.path("memory") ?? "";
    const file = existsSync(`${directory}/memory.max`) ? "memory.max" : "memory.limit_in_bytes";
    assert.equal(readFileSync(`${directory}/${file}`, "utf8").trim(), String(64 << 20));
    await exec("limited", "touch", "/go");
    const logs = `${nodeDirectory}/logs/default_limited_${uid}/c`;
    for (let tries = 0; !existsSync(`${logs}/0.log.1.gz`); tries++) {
      assert.ok(tries < 2000, readdirSync(logs).join(" "));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  await t.test("a running container is given more, and a pod that wants more than there is is told so", async () => {
    const resize = async (resources: object): Promise<void> => {
      const patch = { spec: { containers: [{ name: "c", resources: { limits: resources, requests: resources } }] } };
      await kube("patch", "pod", "limited", "--subresource=resize", "-p", JSON.stringify(patch));
    };
    await resize({ memory: "96Mi" });
    await until("pod/limited", "{.status.containerStatuses[0].resources.limits.memory}", "96Mi");
    const uid = await field("pod/limited", "{.metadata.uid}");
    const [, id = ""] = (await field("pod/limited", "{.status.containerStatuses[0].containerID}")).split("//");
    const { HostConfig } = await engine.client.json<{ HostConfig: { Memory: number } }>(
      "GET",
      `/containers/${id}/json`,
    );
    assert.equal(HostConfig.Memory, 96 << 20);
    const directory = openCgroup(`/${engine.name}/kubepods/pod${uid}`).path("memory") ?? "";
    const file = existsSync(`${directory}/memory.max`) ? "memory.max" : "memory.limit_in_bytes";
    assert.equal(readFileSync(`${directory}/${file}`, "utf8").trim(), String(96 << 20));
    assert.equal(await field("pod/limited", "{.status.containerStatuses[0].restartCount}"), "0");
    await resize({ cpu: "640" });
    const pending = '{.status.conditions[?(@.type=="PodResizePending")].reason}';
    await until("pod/limited", pending, "Infeasible");
    await resize({ cpu: "400m" });
    await until("pod/limited", "{.status.containerStatuses[0].resources.limits.cpu}", "400m");
    assert.equal(await field("pod/limited", pending), "");
  });

  await t.test("an image is pulled with the pod's secret, and without it never, less and less often", async () => {
    const { username, password } = REGISTRY_USER;
    const image = `${registry.host}/locked/app:1`;
    await engine.client.call(
      "POST",
      `/images/busybox/tag?repo=${encodeURIComponent(`${registry.host}/locked/app`)}&tag=1`,
    );
    const auth = Buffer.from(JSON.stringify({ username, password })).toString("base64url");
    const pushed = await engine.client.call("POST", `/images/${image}/push`, { headers: { "x-registry-auth": auth } });
    assert.match(pushed.text, /sha256:/);
    await engine.client.call("DELETE", `/images/${image}`);
    await kube(
      ...["create", "secret", "docker-registry", "locked", `--docker-server=${registry.host}`],
      ...[`--docker-username=${username}`, `--docker-password=${password}`],
    );
    const own = (name: string, spec: string) =>
      pod(name, WAIT, { spec }).replace("busybox:latest", image).replace("Never", "Always");
    await apply(own("open", "") + own("keyed", "  imagePullSecrets: [{name: locked}]"));
    await ready("keyed");
    await told("keyed", /Successfully pulled image/);
    await waits("open", "ImagePullBackOff");
    const events = await told("open", /Back-off pulling image/);
    assert.match(events, /ErrImagePull/);
    assert.match(events, /Failed to pull image .*(authentication|unauthorized|denied|no basic auth)/);
  });

  await t.test(
    "a volume in memory is as large as it may be, and an image is a volume that nobody writes in",
    async () => {
      await ready("small-memory");
      assert.match(await exec("small-memory", "cat", "/tmp/size"), /^tmpfs +2048 /);
      assert.match(await exec("small-memory", "ls", "/image/bin"), /^busybox$/m);
      const written = await cluster.tried(["exec", "small-memory", "--", "touch", "/image/file"]);
      assert.match(written.stderr, /Read-only file system/);
    },
  );

  await t.test("a pod whose volume is larger than it may be is evicted, and what it had is gone", async () => {
    await until("pod/hoarder", "{.status.reason}", "Evicted");
    assert.match(
      await field("pod/hoarder", "{.status.phase} {.status.message}"),
      /Failed Usage of EmptyDir volume "v" exceeds/,
    );
    const uid = await field("pod/hoarder", "{.metadata.uid}");
    for (let tries = 0; existsSync(`${nodeDirectory}/pods/${uid}`); tries++) {
      assert.ok(tries < 600);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  await t.test("a file of the node is a pod as long as it is there, whoever deletes it", async () => {
    const file = `${nodeDirectory}/manifests/extra.yaml`;
    const node = await field("node", "{.items[0].metadata.name}");
    const name = `pod/extra-${node}`;
    writeFileSync(file, pod("extra", WAIT).replace("---", ""));
    await kube("wait", name, "--for=create", "--timeout=60s");
    await kube("wait", name, "--for=condition=Ready", "--timeout=60s");
    const first = await field(name, "{.metadata.uid}");
    await kube("delete", name, "--wait=false");
    const uid = async () => (await cluster.tried(["get", name, "-o", "jsonpath={.metadata.uid}"])).stdout;
    for (let tries = 0; (await uid()) === first; tries++) assert.ok(tries < 1000);
    await kube("wait", name, "--for=create", "--timeout=60s");
    await kube("wait", name, "--for=condition=Ready", "--timeout=60s");
    rmSync(file);
    await kube("wait", name, "--for=delete", "--timeout=60s");
  });

  await t.test("kubectl top tells what node and pods use", async () => {
    await kube("wait", "apiservice/v1beta1.metrics.k8s.io", "--for=condition=Available", "--timeout=60s");
    assert.match(await kube("top", "node", "--no-headers"), /^\S+ +\d+m +\d+% +\d+Mi +\d+%/);
    const [, cpu, memory] = /^env +(\d+)m +(\d+)Mi/m.exec(await kube("top", "pod", "--no-headers")) ?? [];
    assert.ok(Number(cpu) < 2000 && Number(memory) < 200, `${cpu} ${memory}`);
    const env = { KUBECONFIG: cluster.kubeconfig, HOME: home };
    const own = await runProgram([...cliProgram(), "kubectl", "top", "pod", "env", "--containers"], { env });
    assert.match(own.stdout, /^POD +NAME +CPU\(cores\) +MEMORY\(bytes\) *\nenv +c +\d+m +\d+Mi *\n/);
  });

  await t.test("the node's metrics are read through the API, in the words of the kubelet and of cAdvisor", async () => {
    const node = await field("node", "{.items[0].metadata.name}");
    const raw = (path: string) => kube("get", "--raw", `/api/v1/nodes/${node}/proxy/${path}`);
    const own = 'container="c",id="[^"]+",image="busybox:latest",name="[0-9a-f]{64}",namespace="default",pod="env"';
    const cadvisor = await raw("metrics/cadvisor");
    for (const name of [
      "container_memory_working_set_bytes",
      "container_cpu_system_seconds_total",
      "container_processes",
    ])
      assert.match(cadvisor, new RegExp(`^${name}\\{${own}\\} \\d`, "m"));
    assert.match(cadvisor, new RegExp(`^container_cpu_usage_seconds_total\\{${own},cpu="total"\\} \\d+\\.\\d+$`, "m"));
    assert.match(
      cadvisor,
      /^container_network_receive_bytes_total\{container="",.*pod="env",interface="eth0"\} [1-9]\d*$/m,
    );
    assert.match(cadvisor, /^container_spec_memory_limit_bytes\{container="c",.*pod="limited"\} 100663296$/m);
    assert.match(cadvisor, /^container_cpu_cfs_periods_total\{container="c",.*pod="limited"\} [1-9]/m);
    assert.match(
      await raw("metrics/resource"),
      /^pod_cpu_usage_seconds_total\{namespace="default",pod="env"\} \d+\.\d+ \d{13}$/m,
    );
    assert.match(await raw("metrics"), new RegExp(`^kubelet_node_name\\{node="${node}"\\} 1$`, "m"));
    const { node: whole, pods } = JSON.parse(await raw("stats/summary"));
    assert.equal(whole.nodeName, node);
    const summary = pods.find(({ podRef }: { podRef: { name: string } }) => podRef.name === "env");
    assert.equal(summary.containers[0].name, "c");
    assert.ok(
      summary.containers[0].memory.workingSetBytes > 0 &&
        summary.network.rxBytes > 0 &&
        summary.process_stats.process_count > 1,
    );
    assert.equal(await raw("healthz"), "ok");
    assert.match(
      (await tried(["get", "--raw", `/api/v1/nodes/${node}/proxy/none`])).stderr,
      /not found|there is nothing/i,
    );
  });

  await t.test("boxship why tells what stands in the way, and what helps", async () => {
    const env = { KUBECONFIG: cluster.kubeconfig, HOME: home };
    const names = ["huge", "open", "root", "no-directory", "late"].map((name) => `pod/${name}`);
    const { stdout } = await runProgram([...cliProgram(), "why", ...names], { env });
    const said = new Map(stdout.split(/^(?=pod\/)/m).map((part) => [part.slice(0, part.indexOf(" ")), part]));
    assert.match(
      said.get("pod/huge") ?? "",
      /has too little cpu: the pod asks for 640, and of \d+ are .*\n.*ask for less/,
    );
    assert.match(said.get("pod/open") ?? "", /registry \S+ refuses \S+app:1: the pod names no imagePullSecrets/);
    assert.match(said.get("pod/root") ?? "", /image will run as root\n.*set securityContext\.runAsUser/);
    assert.match(said.get("pod/no-directory") ?? "", /a volume is missing\n.*\/none is not a Directory/);
    assert.match(said.get("pod/late") ?? "", /it has failed \(DeadlineExceeded\)/);
  });
});
