import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { test } from "node:test";
import { openCgroup } from "@boxship/kernel";
import { type Cluster, kubectl, startCluster } from "@boxship/testkit";

const skip = kubectl("", "") === undefined ? "kubectl cannot be had here" : false;
const MOST_PIDS = 48;
const RUNTIMES = ["crun", "runc"].filter((name) => programOf(name) !== undefined);

interface PodText {
  readonly image?: string;
  readonly script?: string;
  /** Further fields of the container and of the pod, as they are in YAML. */
  readonly container?: string;
  readonly spec?: string;
  readonly containers?: string;
}

function pod(name: string, { image = "busybox:latest", script = "", container = "", spec = "", containers }: PodText) {
  return `
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
${spec}
  containers:
${containers ?? one("c", image, script, container)}
`;
}

function one(name: string, image: string, script: string, more = "") {
  return `  - name: ${name}
    image: ${image}
    imagePullPolicy: Never
    command: [sh, -c, ${JSON.stringify(script)}]
${more}
`;
}

/** The same pod on each runtime: their mistakes were their own. */
function byRuntime(name: string, text: PodText): string {
  return RUNTIMES.map((runtime) =>
    pod(`${name}-${runtime}`, { ...text, spec: `  runtimeClassName: by-${runtime}\n${text.spec ?? ""}` }),
  ).join("");
}

const WAIT = "while :; do sleep 1; done";

/** Everything that a container of its own accord might try. What it says is what it got. */
const PROBE = (host: string) => `
{ cat ${host}/secret
for n in 1 2 3; do cat /proc/1/root/../../..${host}/secret /proc/self/cwd/../../..${host}/secret; done
mount -t tmpfs none /mnt && echo GOT mount
mount -o bind / /mnt && echo GOT bind
mount -o remount,rw /proc/sys && echo GOT remount
umount /proc/kcore && echo GOT unmasked
hostname changed && echo GOT hostname
ip link add x type dummy && echo GOT link
unshare -U true && echo GOT userns
unshare -m true && echo GOT mountns
nsenter -t 1 -n true && echo GOT nsenter
rmmod none 2>&1 | grep -q permitted || echo GOT rmmod
dmesg > /dev/null && echo GOT dmesg
mknod /tmp/memory c 1 1 && head -c 1 /tmp/memory && echo GOT memory
for f in kcore keys timer_list sched_debug latency_stats; do [ ! -e /proc/$f ] || [ -z "$(head -c 1 /proc/$f | od -An -c)" ] || echo GOT /proc/$f; done
for d in /proc/acpi /proc/scsi /sys/firmware; do [ -z "$(ls $d)" ] || echo GOT $d; done
for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/vm/panic_on_oom /proc/irq/default_smp_affinity /sys/kernel/uevent_helper $(find /sys/fs/cgroup -name release_agent); do (: >> $f) && echo GOT $f; done
mkdir $(dirname $(find /sys/fs/cgroup -name cgroup.procs | head -n 1))/own && echo GOT cgroup
for f in /proc/1/fd/*; do readlink $f; done | grep -v -e ^pipe: -e ^/dev/null && echo GOT descriptor
ls /run/boxship* && echo GOT sockets
grep -E 'CapBnd|CapEff|NoNewPrivs|Seccomp:' /proc/self/status; } 2>/dev/null
echo done`;

/** Makes of the volume a trap: a directory that is a way out of it at every second look. */
const SWAP = (host: string) =>
  `mkdir -p /v/d /v/t/etc; while :; do rmdir /v/d; ln -s ${host} /v/d; rm -f /v/d; mkdir /v/d; mv /v/t /v/u; ln -s ${host} /v/t; rm -f /v/t; mv /v/u /v/t; done 2>/dev/null`;

const RACERS = [1, 2, 3];
/** Descriptors that a runtime may have left open. */
const LEAKED = [3, 6, 7, 8];

const OBJECTS = (host: string) => `
${RUNTIMES.map(
  (name) => `
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: by-${name}}
handler: ${name}
`,
).join("")}
---
apiVersion: v1
kind: Namespace
metadata: {name: guarded, labels: {pod-security.kubernetes.io/enforce: baseline}}
---
apiVersion: v1
kind: Secret
metadata: {name: word}
stringData: {pass: swordfish}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: other}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: other}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: ServiceAccount, name: other, namespace: default}]
${pod("probe", { script: `${PROBE(host)}; ${WAIT}` })}
${pod("held", {
  script: `trap 'exit 0' TERM; ${WAIT}`,
  spec: "  serviceAccountName: other",
})}
${pod("powerless", {
  image: "evil:1",
  script: `grep -E 'CapBnd|CapPrm|NoNewPrivs' /proc/self/status; cat /var/run/secrets/kubernetes.io/serviceaccount/token && echo GOT token; echo x > /x && echo GOT root; /bin/suid cat /root-only && echo GOT setuid; echo done`,
  spec: "  automountServiceAccountToken: false\n  securityContext: {runAsUser: 1000, runAsGroup: 1000, runAsNonRoot: true}",
  container: `    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}`,
})}
${pod("devices", { image: "evil:1", script: "head -c 1 /disk && echo GOT disk; head -c 1 /memory && echo GOT memory; cat /etc/passwd; echo done" })}
${pod("linked", {
  image: "evil:1",
  script: "echo of the pod > /linked/file; echo of the pod > /above/file; cat /linked/secret; echo done",
  container:
    "    volumeMounts: [{name: a, mountPath: /linked}, {name: b, mountPath: /above}, {name: word, mountPath: /word}]",
  spec: "  volumes: [{name: a, emptyDir: {}}, {name: b, emptyDir: {}}, {name: word, secret: {secretName: word}}]",
})}
${pod("nobody", { image: "evil:user", script: "id" })}
${byRuntime("leaked", {
  containers: LEAKED.map((number) =>
    one(
      `fd${number}`,
      "busybox:latest",
      `for up in .. ../.. ../../.. ../../../../.. ../../../../../../..; do cat $up${host}/secret; done; echo done`,
      `    workingDir: /proc/self/fd/${number}`,
    ),
  ).join(""),
})}
${byRuntime("racer", {
  spec: `
  initContainers:
  - {name: swap, image: "busybox:latest", imagePullPolicy: Never, restartPolicy: Always, command: [sh, -c, ${JSON.stringify(SWAP(host))}], volumeMounts: [{name: v, mountPath: /v}]}
  volumes: [{name: v, emptyDir: {}}, {name: w, emptyDir: {}}]`,
  containers: RACERS.map((number) =>
    one(
      `r${number}`,
      "busybox:latest",
      `cat /s/secret /v/t/etc/../secret ${host}/secret; echo done`,
      "    volumeMounts: [{name: v, mountPath: /v}, {name: v, mountPath: /s, subPath: d}, {name: w, mountPath: /v/t/etc}]",
    ),
  ).join(""),
})}
${byRuntime("overwriter", {
  image: "evil:1",
  script: `while :; do for p in /proc/[1-9]*; do echo overwritten >> $p/exe; done; done 2>/dev/null`,
  container: "    resources: {limits: {cpu: 200m}}",
})}
${byRuntime("own-devices", {
  script:
    "[ -w /proc/kcore ] && echo GOT kcore; cat /proc/keys /proc/timer_list | head -c 1 | od -An -c; grep -l core /proc/kcore; echo done",
  spec: `
  initContainers: [{name: first, image: "busybox:latest", imagePullPolicy: Never, command: [sh, -c, "ln -s /proc/sys/kernel/core_pattern /v/null; ln -s /proc/sysrq-trigger /v/console; mkdir /v/shm /v/pts /v/mqueue"], volumeMounts: [{name: v, mountPath: /v}]}]
  volumes: [{name: v, emptyDir: {}}]`,
  container: "    volumeMounts: [{name: v, mountPath: /dev}]",
})}
${byRuntime("own-proc", {
  script: "echo GOT proc",
  container: "    volumeMounts: [{name: v, mountPath: /proc}]",
  spec: "  volumes: [{name: v, emptyDir: {}}]",
})}
${byRuntime("own-attributes", {
  script: "echo GOT attributes",
  container: "    volumeMounts: [{name: v, mountPath: /proc/self/attr}]",
  spec: "  volumes: [{name: v, emptyDir: {}}]",
})}
${pod("bomb", { script: "while :; do sleep 1000 & done & exec tail -f /dev/null" })}
${pod("deaf", { script: `trap '' TERM; echo up; ${WAIT}` })}
${pod("filler", {
  script: `head -c 20000000 /dev/zero > /tmp/file; ${WAIT}`,
  container: "    resources: {limits: {ephemeral-storage: 2Mi}}",
})}
`;

/** An image with devices of the machine, links out of itself where mounts go, somebody else's users and a program of root's. */
async function makeEvilImage({ engine }: Cluster, host: string): Promise<void> {
  const script = `set -e; mknod /disk b ${deviceOf("/")}; mknod /memory c 1 1; cp /bin/busybox /bin/suid; chmod 4755 /bin/suid
echo x > /root-only; chmod 600 /root-only; ln -s ${host} /linked; ln -s ../../../../../../../..${host} /above
printf '#!/proc/self/exe\\n' > /bin/again; chmod 755 /bin/again
mkdir -p /etc; rm -f /etc/passwd /etc/group; ln -s ${host}/passwd /etc/passwd; ln -s ../../../../../../..${host}/passwd /etc/group`;
  const { client } = engine;
  const { Id } = await client.json<{ Id: string }>("POST", "/containers/create", {
    Image: "busybox:latest",
    Cmd: ["sh", "-c", script],
  });
  await client.call("POST", `/containers/${Id}/start`);
  const { StatusCode } = await client.json<{ StatusCode: number }>("POST", `/containers/${Id}/wait`);
  assert.equal(StatusCode, 0);
  await client.json("POST", `/commit?container=${Id}&repo=evil&tag=1`);
  await client.json("POST", `/commit?container=${Id}&repo=evil&tag=user&changes=USER%20outsider`);
  await client.call("DELETE", `/containers/${Id}`);
}

function deviceOf(path: string): string {
  const { dev } = statSync(path);
  return `${(dev >> 8) & 0xfff} ${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
}

const hashOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

function programOf(name: string): string | undefined {
  return ["/usr/bin", "/usr/sbin"].map((directory) => `${directory}/${name}`).find((path) => existsSync(path));
}

const programHashes = () => [...RUNTIMES, "conmon"].map((name) => hashOf(programOf(name) ?? ""));

/** Asks the API as nobody, or by a token. */
async function ask(url: string, token?: string): Promise<{ readonly status: number; readonly text: string }> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return await new Promise((resolve, reject) => {
    const sent = request(url, { rejectUnauthorized: false, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 200));

test("hostile pods are contained", { skip, timeout: 600_000 }, async (t) => {
  await using cluster = await startCluster({ flags: ["--pod-max-pids", String(MOST_PIDS)] });
  const { apply, engine, field, home, kube, nodeDirectory, told, tried, until } = cluster;
  const host = `${home}/of-the-host`;
  mkdirSync(host, { mode: 0o700 });
  writeFileSync(`${host}/secret`, "OF THE HOST\n");
  writeFileSync(`${host}/passwd`, "outsider:x:0:0::/root:/bin/sh\n");
  await makeEvilImage(cluster, host);
  const before = programHashes();
  await apply(OBJECTS(host));
  const logs = (name: string, container = "c") => kube("logs", name, "-c", container);
  /** What a pod said that had ended, or had its say. */
  const said = async (name: string, container = "c"): Promise<string> => {
    for (;;) {
      const { stdout } = await tried(["logs", name, "-c", container]);
      if (/^done$/m.test(stdout)) return stdout;
      await soon();
    }
  };
  await kube("wait", "pod/deaf", "pod/bomb", "pod/held", "--for=condition=Ready", "--timeout=120s");
  const deafUid = await field("pod/deaf", "{.metadata.uid}");
  const gone = kube("delete", "pod", "deaf", "--timeout=120s");

  await t.test("a container sees and changes nothing of the machine's", async () => {
    const text = await said("probe");
    assert.ok(!/GOT|OF THE HOST/.test(text), text);
    assert.match(text, /CapEff:\s*00000000a80425fb/);
    assert.match(text, /CapBnd:\s*00000000a80425fb/);
    assert.match(text, /Seccomp:\s*2/);
  });

  await t.test("without capabilities and new privileges there are none, whatever the image brings", async () => {
    const text = await said("powerless");
    assert.ok(!/GOT/.test(text), text);
    assert.match(text, /CapPrm:\s*0000000000000000\nCapBnd:\s*0000000000000000\nNoNewPrivs:\s*1/);
  });

  await t.test(
    "device nodes and users that an image brings, and its links at the places of mounts, lead nowhere",
    async () => {
      assert.ok(!/GOT|outsider/.test(await said("devices")));
      assert.ok(!/OF THE HOST/.test(await said("linked")));
      assert.ok(!existsSync(`${host}/file`));
      await told("nobody", /Failed.*outsider/);
      assert.equal((await tried(["logs", "nobody"])).stdout, "");
    },
  );

  /** What the containers of a pod said that had ended, or were never started. */
  const ended = async (name: string): Promise<string> => {
    const path = "{range .status.containerStatuses[*]}{.state}{'\\n'}{end}";
    for (;;) {
      const states = (await field(`pod/${name}`, path)).trim().split("\n");
      if (states.every((state) => /terminated|RunContainerError|CreateContainerError/.test(state))) break;
      await soon();
    }
    return (await tried(["logs", name, "--all-containers", "--ignore-errors"])).stdout;
  };

  for (const runtime of RUNTIMES) {
    await t.test(`a working directory is none of the runtime's descriptors (${runtime})`, async () => {
      const text = await ended(`leaked-${runtime}`);
      assert.ok(!/OF THE HOST/.test(text), text);
    });

    await t.test(`links that are exchanged while containers start lead nowhere (${runtime})`, async () => {
      const text = await ended(`racer-${runtime}`);
      assert.ok(!/OF THE HOST/.test(text), text);
      assert.equal(statSync(host).mode & 0o777, 0o700);
    });

    await t.test(`the programs that start containers cannot be written by those (${runtime})`, async () => {
      const name = `overwriter-${runtime}`;
      const again = () => tried(["exec", name, "--", "/bin/again", "version"]);
      await Promise.all([again(), again(), again()]);
      assert.deepEqual(programHashes(), before);
      await kube("delete", "pod", name, "--now");
    });

    await t.test(`volumes in place of devices and of /proc uncover nothing (${runtime})`, async () => {
      for (const name of ["own-devices", "own-proc", "own-attributes"]) {
        const text = await ended(`${name}-${runtime}`);
        assert.ok(!/GOT|core/.test(text), `${name}: ${text}`);
      }
      await told(`own-devices-${runtime}`, /"\/dev" cannot be mounted: the devices there hide what is the machine's/);
      await told(`own-proc-${runtime}`, /cannot be mounted because it is inside \/proc/);
    });
  }

  await t.test("who forks without end has as many processes as a pod may have", async () => {
    const uid = await field("pod/bomb", "{.metadata.uid}");
    const group = openCgroup(`/${engine.name}/kubepods/besteffort/pod${uid}`);
    while (!/can't fork|Resource temporarily unavailable/.test(await logs("bomb"))) await soon();
    const { pids } = await group.stats();
    assert.equal(pids?.limit, MOST_PIDS);
    // The shell that could not fork has ended.
    assert.ok(pids.current >= MOST_PIDS - 2 && pids.current <= MOST_PIDS, String(pids.current));
    await kube("delete", "pod", "bomb", "--now");
  });

  await t.test("a namespace's policy refuses what leads to the machine", async () => {
    for (const spec of ["  hostNetwork: true", "  hostPID: true", "  volumes: [{name: v, hostPath: {path: /}}]"]) {
      const run = await tried(["apply", "-n", "guarded", "-f", "-"], {
        input: pod("refused", { script: "true", spec }),
      });
      assert.match(run.stderr, /violates PodSecurity "baseline:latest"/);
    }
    const container = "    securityContext: {privileged: true}";
    const run = await tried(["apply", "-n", "guarded", "-f", "-"], { input: pod("refused", { container }) });
    assert.match(run.stderr, /violates PodSecurity "baseline:latest": privileged/);
  });

  await t.test("a token is good for its pod's account, and as long as there is the pod", async () => {
    const server = (await kube("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")).trim();
    const token = async (name: string) =>
      await kube("exec", name, "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token");
    const [own, others] = [await token("probe"), await token("held")];
    const secrets = `${server}/api/v1/namespaces/default/secrets`;
    assert.equal((await ask(secrets, others)).status, 200);
    assert.equal((await ask(secrets, own)).status, 403);
    assert.equal((await ask(`${server}/api/v1/namespaces/kube-system/secrets`, others)).status, 403);
    assert.equal((await ask(secrets)).status, 403);
    for (const path of ["/api/v1/nodes/x/proxy/metrics", "/metrics", "/api/v1/namespaces/default/pods/probe/log"])
      assert.equal((await ask(server + path)).status, 403, path);
    await kube("delete", "pod", "held", "--now");
    assert.equal((await ask(secrets, others)).status, 401);
  });

  await t.test("nobody but root reads what the cluster keeps", () => {
    const { root, runDir } = engine;
    for (const path of [
      `${root}/cluster/pki`,
      `${root}/cluster/secrets.keys`,
      cluster.kubeconfig,
      `${runDir}/cri.sock`,
    ])
      assert.equal(statSync(path).mode & 0o007, 0, path);
  });

  await t.test("who does not heed SIGTERM is killed when his time is over", async () => {
    await gone;
    assert.ok(!existsSync(`${nodeDirectory}/pods/${deafUid}`));
  });

  await t.test("who fills the disk beyond his limit is evicted, and what he has written is gone", async () => {
    await until("pod/filler", "{.status.reason}", "Evicted");
    assert.match(await field("pod/filler", "{.status.message}"), /exceeded its local ephemeral storage limit "2Mi"/);
    const [, id = ""] = (await field("pod/filler", "{.status.containerStatuses[0].containerID}")).split("//");
    assert.match(id, /^[0-9a-f]{64}$/);
    for (let tries = 0; existsSync(`${engine.root}/snapshots/containers/${id}`); tries++) {
      assert.ok(tries < 600);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(await field("pod/filler", "{.status.containerStatuses[0].state.terminated.exitCode}"), "137");
  });
});
