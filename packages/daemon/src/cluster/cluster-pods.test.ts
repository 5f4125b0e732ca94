import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { findCriu, kubectl, OURS, startCluster, tempDir } from "@boxship/testkit";
import { runChart } from "./testing/run-chart.ts";
import { tryNodeEnds } from "./testing/try-node-ends.ts";
import { tryRuntimeClasses } from "./testing/try-runtime-classes.ts";

const skip = kubectl("", "") === undefined ? "kubectl cannot be had here" : false;

const OBJECTS = `
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {color: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: word}
stringData: {pass: swordfish}
---
apiVersion: v1
kind: Pod
metadata: {name: full, labels: {app: full}}
spec:
  terminationGracePeriodSeconds: 30
  securityContext: {runAsUser: 1000, fsGroup: 2000}
  initContainers:
  - name: first
    image: busybox:latest
    imagePullPolicy: Never
    command: [sh, -c, "echo made > /work/file"]
    volumeMounts: [{name: work, mountPath: /work}]
  - name: side
    image: busybox:latest
    imagePullPolicy: Never
    restartPolicy: Always
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
  containers:
  - name: main
    image: busybox:latest
    imagePullPolicy: Never
    command: [sh, -c, "trap 'exit 0' TERM; env | sort > /work/env; while :; do sleep 0.1; done"]
    env:
    - {name: COLOR, valueFrom: {configMapKeyRef: {name: conf, key: color}}}
    - {name: PASS, valueFrom: {secretKeyRef: {name: word, key: pass}}}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: MEM, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
    - {name: BOTH, value: "$(COLOR)-$(MEM)"}
    resources: {requests: {cpu: 100m}, limits: {memory: 64Mi}}
    readinessProbe: {exec: {command: [test, -f, /work/env]}, periodSeconds: 1}
    volumeMounts:
    - {name: work, mountPath: /work}
    - {name: work, mountPath: /part, subPath: a/b}
    - {name: conf, mountPath: /conf, readOnly: true, recursiveReadOnly: IfPossible}
    - {name: word, mountPath: /word, readOnly: true}
  volumes:
  - {name: work, emptyDir: {}}
  - {name: conf, configMap: {name: conf}}
  - {name: word, secret: {secretName: word}}
---
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec:
  containers:
  - name: c
    image: busybox:latest
    imagePullPolicy: Never
    command: [sh, -c, "echo begun; echo second; echo dying > /dev/termination-log; exit 3"]
---
apiVersion: v1
kind: Pod
metadata: {name: absent}
spec:
  containers:
  - {name: c, image: "no.such/image:1", imagePullPolicy: Never}
  - {name: unnamed, image: "No Image"}
  - {name: unstarted, image: "busybox:latest", imagePullPolicy: Never, command: [no-such-command]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: ruled}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: c
        image: busybox:latest
        imagePullPolicy: Never
        command: [sh, -c, "[ -e /kept/mark ] || { touch /kept/mark; exit 42; }"]
        restartPolicy: Never
        restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [42]}}]
        volumeMounts: [{name: kept, mountPath: /kept}]
      volumes: [{name: kept, emptyDir: {}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: "busybox:latest", imagePullPolicy: Never, command: ["true"]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: "busybox:latest", imagePullPolicy: Never, command: [sh, -c, "mkdir /www; echo served > /www/index.html; exec httpd -f -p 127.0.0.1:8080 -h /www"]}]
`;

const READER = `
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  restartPolicy: Never
  containers:
  - name: c
    image: busybox:latest
    imagePullPolicy: Never
    stdin: true
    stdinOnce: true
    command: [sh, -c, "read line; echo got $line"]
`;

const TREE = "mkdir -p /work/tree/sub/empty; cd /work/tree; echo a > a; echo b > sub/b; ln -s a link; ln -s /etc out";

const SHORT = ["sh", "-c", "echo one; until [ -e /go ]; do sleep 0.05; done; echo two"];

test("pods run: kubectl apply to Running, and nothing is left after delete", { skip, timeout: 600_000 }, async (t) => {
  await using files = tempDir("criu");
  const criu = await findCriu(files.join("bin"));
  await using cluster = await startCluster({ env: { PATH: criu.PATH } });
  const { apply, engine, field, kube, nodeDirectory, until } = cluster;
  await apply(OBJECTS);
  const containers = async () =>
    (await engine.client.json<{ Id: string; Names: string[] }[]>("GET", "/containers/json")).map(
      ({ Names }) => Names[0],
    );

  await t.test("init containers, sidecars, environment, volumes and probes", async () => {
    await kube("wait", "pod/full", "--for=condition=Ready", "--timeout=120s");
    const status = JSON.parse(await kube("get", "pod", "full", "-o", "json")).status as Record<string, unknown>;
    assert.equal(status["phase"], "Running");
    assert.equal(status["qosClass"], "Burstable");
    const ready = `{.status.conditions[?(@.type=="Ready")]`;
    // It was not ready at first, and said why.
    const shown = `${ready}.reason}:${ready}.message}:${ready}.observedGeneration}:{.status.observedGeneration}`;
    assert.equal(await field("pod/full", `${shown}:{.status.containerStatuses[0].image}`), "::1:1:busybox:latest");
    const uid = await field("pod/full", "{.metadata.uid}");
    const volumes = `${nodeDirectory}/pods/${uid}/volumes`;
    const env = readFileSync(`${volumes}/work/env`, "utf8");
    for (const line of ["COLOR=blue", "PASS=swordfish", "MEM=64", "BOTH=blue-64", `IP=${String(status["podIP"])}`]) {
      assert.match(env, new RegExp(`^${line}$`, "m"));
    }
    assert.equal(readFileSync(`${volumes}/work/file`, "utf8"), "made\n");
    assert.equal(readFileSync(`${volumes}/word/pass`, "utf8"), "swordfish");
    assert.equal(readFileSync(`${volumes}/conf/color`, "utf8"), "blue");
    await kube("patch", "configmap", "conf", "-p", '{"data":{"color":"red"}}');
    for (let tries = 0; readFileSync(`${volumes}/conf/color`, "utf8") !== "red"; tries++) {
      assert.ok(tries < 600, "the volume does not follow its configuration");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  await t.test("statuses tell what containers have and nodes hold, in the kubelet's fields", async () => {
    const { containerStatuses, initContainerStatuses } = JSON.parse(
      await kube("get", "pod", "full", "-o", "json"),
    ).status;
    const [main] = containerStatuses;
    const read = (name: string) => ({
      mountPath: `/${name}`,
      name,
      readOnly: true,
      recursiveReadOnly: name === "conf" ? "Enabled" : "Disabled",
    });
    const token = {
      ...read("word"),
      mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
      name: main.volumeMounts[4].name,
    };
    const [work, part] = ["/work", "/part"].map((mountPath) => ({ mountPath, name: "work" }));
    assert.deepEqual(main.volumeMounts, [work, part, read("conf"), read("word"), token]);
    assert.deepEqual(main.user, { linux: { uid: 1000, gid: 0, supplementalGroups: [0, 2000] } });
    assert.equal(main.stopSignal, "SIGTERM");
    assert.deepEqual(main.allocatedResources, { cpu: "100m", memory: "64Mi" });
    assert.deepEqual(initContainerStatuses[0].resources, {});
    const { status } = JSON.parse(await kube("get", "node", "-o", "json")).items[0];
    assert.ok(status.images[0].names.includes("busybox:latest") && status.images[0].sizeBytes > 100_000);
    assert.deepEqual(status.features, { supplementalGroupsPolicy: true });
    const { serverVersion } = JSON.parse(await kube("version", "-o", "json"));
    assert.equal(status.nodeInfo.kubeletVersion, serverVersion.gitVersion);
    const hosts = await kube("exec", "full", "-c", "main", "--", "cat", "/etc/hosts");
    const common = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n";
    const routers = "fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n";
    const own = await field("pod/full", "{.status.podIP}");
    assert.equal(hosts, `# Kubernetes-managed hosts file.\n${common}${routers}${own}\tfull\n`);
  });

  await t.test("logs are read and commands run, with their streams as they are and their exit codes", async () => {
    assert.equal(await kube("exec", "full", "-c", "main", "--", "cat", "/work/file"), "made\n");
    const run = await cluster.tried(["exec", "full", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    assert.deepEqual([run.status, run.stdout], [3, "out\n"]);
    assert.match(run.stderr, /^err$/m);
    const missing = await cluster.tried(["exec", "full", "--", "/no/such"]);
    assert.equal(missing.status, 127);
    const input = "0123456789abcdef".repeat(1 << 16);
    const copied = await cluster.tried(
      ["exec", "-i", "full", "--", "sh", "-c", "cat > /work/copy; wc -c < /work/copy"],
      {
        input,
      },
    );
    assert.equal(copied.stdout.trim(), String(input.length));
    assert.equal((await kube("exec", "full", "--", "cat", "/work/copy")) === input, true);
    assert.match((await cluster.tried(["logs", "full", "-c", "none"])).stderr, /container none is not valid/);
    await until("pod/crash", "{.status.containerStatuses[0].lastState.terminated.exitCode}", "3");
    const logs = async (...args: readonly string[]) => await kube("logs", ...args);
    assert.equal(await logs("crash", "--previous"), "begun\nsecond\n");
    assert.equal(await logs("crash", "--tail=1"), "second\n");
    assert.match(await logs("crash", "--tail=1", "--timestamps"), /^\d{4}-\d\d-\d\dT\S+Z second\n$/);
    // Following ends with the container.
    await kube(
      "run",
      "short",
      "--image=busybox:latest",
      "--image-pull-policy=Never",
      "--restart=Never",
      "--command",
      "--",
      ...SHORT,
    );
    await kube("wait", "pod/short", "--for=condition=Ready", "--timeout=120s");
    const following = kube("logs", "-f", "short");
    await kube("exec", "short", "--", "touch", "/go");
    assert.equal(await following, "one\ntwo\n");
    await until("pod/short", "{.status.phase}", "Succeeded");
    await kube("delete", "pod", "short");
  });

  await t.test("ports are forwarded, and older clients served, by SPDY as by WebSocket", async () => {
    await kube("rollout", "status", "deployment/web", "--timeout=120s");
    for (const websockets of ["true", "false"]) {
      const env = { KUBECTL_PORT_FORWARD_WEBSOCKETS: websockets, KUBECTL_REMOTE_COMMAND_WEBSOCKETS: websockets };
      await using forwarded = await cluster.forward("deployment/web", 8080, env);
      for (let times = 0; times < 3; times++) {
        assert.equal(await (await fetch(`http://127.0.0.1:${forwarded.port}/`)).text(), "served\n");
      }
      const input = "0123456789abcdef".repeat(1 << 14);
      const echoed = await cluster.tried(["exec", "-i", "full", "--", "sh", "-c", "cat; echo end >&2; exit 5"], {
        input,
        env,
      });
      assert.deepEqual([echoed.status, echoed.stdout === input], [5, true]);
      assert.match(echoed.stderr, /^end$/m);
    }
  });

  await t.test("our own kubectl carries the same streams, in the same words", async () => {
    const lines = [
      ["exec", "full", "--", "sh", "-c", "echo out; echo err >&2; exit 3"],
      ["exec", "deployment/web", "--", "sh", "-c", 'echo $0 "$@"', "a b", "c"],
      ["exec", "full", "-c", "none", "--", "true"],
      ["exec", "-it", "full", "--", "cat"],
      ["exec", "none", "--", "true"],
      ["attach", "full", "-c", "none"],
    ];
    const chosen = ({ status, stdout, stderr }: Awaited<ReturnType<typeof cluster.ours>>) => ({
      status,
      stdout,
      stderr,
    });
    const [want, got] = await Promise.all(
      [cluster.tried, cluster.ours].map(async (one) => {
        const ran = [];
        for (const line of lines) ran.push([line.join(" "), chosen(await one(line))]);
        return ran;
      }),
    );
    assert.deepEqual(got, want);
    const input = "0123456789abcdef".repeat(1 << 16);
    const copied = await cluster.ours(["exec", "-i", "full", "--", "sh", "-c", "cat; echo end >&2; exit 5"], { input });
    assert.deepEqual([copied.status, copied.stdout === input], [5, true]);
    assert.match(copied.stderr, /^end$/m);
    const words = [];
    for (const [name, kubectlOf] of [
      ["theirs", cluster.tried],
      ["ours", cluster.ours],
    ] as const) {
      await apply(READER.replace("NAME", name));
      await kube("wait", `pod/${name}`, "--for=condition=Ready", "--timeout=120s");
      words.push(await kubectlOf(["attach", "-i", name], { input: "hello\n" }));
      await kube("delete", "pod", name, "--now");
    }
    assert.deepEqual(words[1], words[0]);
    assert.equal(words[1]?.stdout, "got hello\n");
    await using forwarded = await cluster.forward("deployment/web", 8080, {}, OURS);
    const fetched = Array.from({ length: 3 }, async () => (await fetch(`http://127.0.0.1:${forwarded.port}/`)).text());
    assert.deepEqual(await Promise.all(fetched), ["served\n", "served\n", "served\n"]);
  });

  await t.test("charts run: hooks and tests in pods, their logs, waiting, and what status shows", () =>
    runChart(cluster),
  );

  await t.test("our own kubectl copies, debugs and stays with what it started, in the same words", async () => {
    const home = cluster.home;
    mkdirSync(`${home}/source/empty`, { recursive: true });
    writeFileSync(`${home}/source/one`, "1\n", { mode: 0o755 });
    symlinkSync("one", `${home}/source/link`);
    await kube("exec", "full", "--", "sh", "-c", TREE);
    const never = ["--image=busybox:latest", "--image-pull-policy=Never"];
    const echo = ["--", "sh", "-c", "read x; echo got $x; exit 3"];
    const copies = [
      ["cp", "full:/work/tree", `${home}/@`],
      ["cp", "default/full:work/tree/sub/", `${home}/@/again`, "-c", "main"],
      ["cp", "full:../../work/tree/a", `${home}/@/a2`, "--retries=2"],
      ["cp", "full:/work/tree/a", "full:/x"],
      ["cp", "full:/work/tree/a", `${home}/@/x`, "-c", "none"],
      ["cp", `${home}/source`, "full:/work/@"],
      ["cp", `${home}/source`, "full:/work/@", "-c", "main"],
      ["cp", `${home}/source/one`, "full:/work/@/two", "--no-preserve"],
      ["cp", `${home}/source/one`, "full:/no/such/place"],
      ["cp", `${home}/source/none`, "full:/work"],
      ["exec", "full", "--", "sh", "-c", "cd /work/@ && find . | sort && stat -c '%A %s %N' source/one link two"],
    ];
    const debugs = [
      ["debug", "full", ...never, "-c", "dbg-@", "--target=main", "-i", ...echo],
      ["debug", "full", ...never, "--copy-to=copy-@", "-c", "main", "--profile=restricted", "--", "true"],
      ["get", "pod", "copy-@", "-o", "jsonpath={.spec.containers}{.spec.initContainers}{.metadata.labels}"],
      ["debug", "node/NODE", ...never, "-i", "--", "sh", "-c", "read x; ls /host | grep etc"],
      ["debug", "deployment/web", ...never],
      ["run", "stay-@", ...never, "-i", "--rm", "--restart=Never", ...echo],
      ["delete", "pod", "copy-@", "--now"],
    ];
    const node = await kube("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}");
    const input = "hello\n";
    // The real one logs now and then that it could not write what nobody reads any more.
    const same = (text: string): string =>
      text
        .replace(/^E\d{4} .* "Copying stdin failed" .*\n/gm, "")
        .replace(/theirs|ours/g, "@")
        .replace(/(debugger-\S+?-)\w{5}(?= )/g, "$1X");
    const runs = async (name: string, lines: readonly (readonly string[])[]) => {
      const run = name === "ours" ? cluster.ours : cluster.tried;
      const ran = [];
      for (const line of lines) {
        const words = line.map((word) => word.replaceAll("@", name).replace("NODE", node));
        const { status, stdout, stderr } = await run(words, { input });
        ran.push([line.join(" "), status, same(stdout), same(stderr)]);
      }
      return ran;
    };
    try {
      // Not at once: a container that debugs is among those that a copy tells of.
      for (const lines of [copies, debugs]) {
        const [want, got] = await Promise.all(["theirs", "ours"].map((name) => runs(name, lines)));
        assert.deepEqual(got, want);
      }
    } finally {
      const pods = (await kube("get", "pods", "-o", "name")).split("\n");
      const debuggers = pods.filter((name) => name.startsWith("pod/node-debugger"));
      if (debuggers.length > 0) await kube("delete", ...debuggers, "--now");
    }
    const paths = (name: string) => readdirSync(`${home}/${name}`, { recursive: true, encoding: "utf8" }).toSorted();
    assert.deepEqual(paths("ours"), paths("theirs"));
    assert.deepEqual(paths("ours"), ["a", "a2", "again", "again/b", "again/empty", "sub", "sub/b", "sub/empty"]);
    // Better than kubectl: of one file under two names it leaves one empty, and it may miss that tar fails.
    await kube("exec", "full", "--", "sh", "-c", "mkdir /work/two; echo 2 > /work/two/a; ln /work/two/a /work/two/b");
    assert.equal((await cluster.ours(["cp", "full:/work/two", `${home}/two`])).status, 0);
    assert.deepEqual(
      ["a", "b"].map((name) => readFileSync(`${home}/two/${name}`, "utf8")),
      ["2\n", "2\n"],
    );
    const failed = await cluster.ours(["cp", "full:/none", `${home}/none`]);
    assert.deepEqual([failed.status, failed.stderr], [1, "command terminated with exit code 1\n"]);
  });

  await t.test("a container that ends again and again waits longer and longer, and says why", async () => {
    await until("pod/crash", "{.status.containerStatuses[0].state.waiting.reason}", "CrashLoopBackOff");
    const last = "{.status.containerStatuses[0].lastState.terminated";
    const ended = await kube("get", "pod", "crash", "-o", `jsonpath=${last}.exitCode} ${last}.message}`);
    assert.equal(ended, "3 dying\n");
    assert.match(await kube("describe", "pod", "crash"), /Back-off restarting failed container c/);
    await until("pod/absent", "{.status.containerStatuses[0].state.waiting.reason}", "ErrImageNeverPull");
    await until("pod/absent", "{.status.containerStatuses[1].state.waiting.reason}", "InvalidImageName");
    // One that cannot be started waits as one that has ended does, and is told in the runtime's words.
    await until("pod/absent", "{.status.containerStatuses[2].state.waiting.reason}", "CrashLoopBackOff");
    const third = "{.status.containerStatuses[2]";
    const ends = ["exitCode", "reason", "startedAt", "message"].map((one) => `${third}.lastState.terminated.${one}}`);
    const told = await field("pod/absent", `${third}.restartCount}:${ends.join(" ")}`);
    assert.match(told, /^[1-9]:128 StartError 1970-01-01T00:00:00Z exec: "no-such-command": /);
    const selector = "involvedObject.name=absent,involvedObject.fieldPath=spec.containers{unstarted}";
    const events = await kube("get", "events", `--field-selector=${selector}`);
    assert.match(events, /Error: exec: "no-such-command": /);
    assert.doesNotMatch(events, /no\.such/);
    await kube("wait", "job/job", "--for=condition=Complete", "--timeout=120s");
    await kube("wait", "job/ruled", "--for=condition=Complete", "--timeout=120s");
    assert.equal(await kube("get", "pods", "-l", "job-name=ruled", "-o", "jsonpath={..restartCount}"), "1");
  });

  await t.test("what runs goes on without the cluster and without the engine, and is counted truly", async () => {
    await kube("rollout", "status", "deployment/web", "--timeout=120s");
    const ids = "jsonpath={.items[*].status.containerStatuses[0].containerID}";
    const before = await kube("get", "pods", "-l", "app=web", "-o", ids);
    await cluster.crash();
    assert.equal(await kube("get", "pods", "-l", "app=web", "-o", ids), before);
    const running = (await containers()).find((name) => name?.startsWith("/k8s_c_web-"));
    assert.ok(running !== undefined);
    await engine.client.call("POST", `/containers${running}/kill`);
    await until(`pod/${running.split("_")[2]}`, "{.status.containerStatuses[0].restartCount}", "1");
  });

  await t.test("deletion ends containers in order, and takes everything away", async () => {
    const deleted = await cluster.tried(["delete", "-f", "-", "--timeout=120s"], { input: OBJECTS });
    assert.equal(deleted.status, 0, deleted.stderr);
    await kube("wait", "pod", "--all", "--for=delete", "--timeout=120s");
    assert.equal(await kube("get", "pods", "-o", "name"), "");
    assert.deepEqual(await containers(), []);
    assert.deepEqual(readdirSync(`${nodeDirectory}/pods`), []);
    assert.deepEqual(readdirSync(`${nodeDirectory}/logs`), []);
    assert.ok(!readFileSync("/proc/mounts", "utf8").includes(nodeDirectory));
  });

  await t.test("a pod's class says what it runs on and what that costs", () => tryRuntimeClasses(cluster, criu));
  await tryNodeEnds(t, cluster);
});
