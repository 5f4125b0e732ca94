import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { hungMount, kubectl, startCluster } from "@boxship/testkit";

const skip = kubectl("", "") === undefined ? "kubectl cannot be had here" : false;

const claim = (name: string, more = ""): string => `
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: ${name}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}${more}}
`;

interface Mounting {
  readonly command: string;
  readonly mounts: string;
  readonly volumes: string;
  readonly security?: string;
}

const pod = (name: string, { command, mounts, volumes, security = "{}" }: Mounting): string => `
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 0
  restartPolicy: Never
  securityContext: ${security}
  containers:
  - {name: c, image: "busybox:latest", imagePullPolicy: Never, command: [sh, -c, "${command}; sleep 1000"], volumeMounts: ${mounts}, readinessProbe: {exec: {command: [test, -e, /tmp/done]}, periodSeconds: 1}}
  volumes: ${volumes}
`;

const DATA = "[{name: data, persistentVolumeClaim: {claimName: data}}]";
const MOUNT = "[{name: data, mountPath: /data}]";

const WRITER = pod("writer", {
  command: "echo kept > /data/file; mkdir /data/sub; ln -s /etc/passwd /data/out; touch /tmp/done",
  mounts: MOUNT,
  volumes: DATA,
});

const READER = pod("reader", {
  command: "cat /data/file > /tmp/read; id -G > /tmp/groups; echo part > /sub/own; touch /tmp/done",
  mounts: "[{name: data, mountPath: /data}, {name: data, mountPath: /sub, subPath: sub}]",
  volumes: DATA,
  security: "{runAsUser: 1000, fsGroup: 4321}",
});

const SHOW_OWNERS =
  "stat -c '%n %u:%g' /map/key /secret/key /token/token /disk /memory /claim/users-a /host/kept; cat /map/key /secret/key";
const OWNERS = `/map/key 0:4321
/secret/key 0:4321
/token/token 0:4321
/disk 0:4321
/memory 0:4321
/claim/users-a 0:4321
/host/kept 0:0
value
hidden
`;

const withUsers = (name: string, host: string, more = ""): string => `
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {key: "value\\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: hidden}
stringData: {key: "hidden\\n"}
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  {${more}hostUsers: false, terminationGracePeriodSeconds: 0, securityContext: {fsGroup: 4321},
   containers: [{name: c, image: "busybox:latest", imagePullPolicy: Never,
     command: [sh, -c, "cat /host/kept; touch /claim/${name} /host/${name} /disk/own /memory/own /tmp/done && httpd -p 80 -h /map; sleep 4711"],
     readinessProbe: {exec: {command: [test, -e, /tmp/done]}, periodSeconds: 1},
     livenessProbe: {httpGet: {path: /key, port: 80}, periodSeconds: 1, failureThreshold: 30},
     volumeMounts: [{name: map, mountPath: /map}, {name: secret, mountPath: /secret}, {name: token, mountPath: /token},
       {name: disk, mountPath: /disk}, {name: memory, mountPath: /memory}, {name: claim, mountPath: /claim}, {name: host, mountPath: /host}]}],
   volumes: [{name: map, configMap: {name: settings}}, {name: secret, secret: {secretName: hidden, defaultMode: 0400}},
     {name: token, projected: {sources: [{serviceAccountToken: {path: token}}]}}, {name: disk, emptyDir: {}},
     {name: memory, emptyDir: {medium: Memory}}, {name: claim, persistentVolumeClaim: {claimName: owned}}, {name: host, hostPath: {path: ${host}}}]}
`;

/** Processes that a user of the machine runs. */
function processesOf(uid: number, command: RegExp): readonly number[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid) || statSync(`/proc/${pid}`).uid !== uid) return [];
      return command.test(readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ")) ? [Number(pid)] : [];
    } catch {
      // It has ended.
      return [];
    }
  });
}

test("claims get directories, and pods find in them what others left", { skip, timeout: 600_000 }, async (t) => {
  await using cluster = await startCluster();
  const { apply, engine, field, kube, told, until } = cluster;
  const directories = () => readdirSync(`${engine.root}/cluster/volumes`);
  const ready = (name: string) => kube("wait", `pod/${name}`, "--for=condition=Ready", "--timeout=120s");
  const end = (...names: readonly string[]) => kube("delete", "pod", ...names, "--timeout=120s");

  await t.test("the class is there, the default one, and waits for the pod", async () => {
    const [line = ""] = (await kube("get", "storageclass", "--no-headers")).trim().split("\n");
    assert.match(line, /^standard \(default\) +boxship\.io\/directory +Delete +WaitForFirstConsumer +true /);
    await apply(claim("data"));
    await until("pvc/data", "{.status.phase}", "Pending");
    assert.equal(await field("pvc/data", "{.spec.storageClassName}"), "standard");
    assert.match(await kube("describe", "pvc", "data"), /waiting for first consumer to be created before binding/);
    assert.deepEqual(directories(), []);
  });

  await t.test("what a pod writes is there for the next one, as its group and by parts", async () => {
    await apply(WRITER);
    await ready("writer");
    const name = await field("pvc/data", "{.spec.volumeName}");
    assert.equal(await field("pvc/data", "{.status.phase} {.status.capacity.storage}"), "Bound 1Gi");
    assert.match(await kube("describe", "pv", name), /kubernetes\.io\/hostname in \[/);
    const [directory = ""] = directories();
    assert.equal(directory, `${name}_default_data`);
    await end("writer");
    const passwd = statSync("/etc/passwd").gid;
    await apply(READER);
    await ready("reader");
    assert.equal(await kube("exec", "reader", "--", "cat", "/tmp/read"), "kept\n");
    assert.match(await kube("exec", "reader", "--", "cat", "/tmp/groups"), /\b4321\b/);
    const path = `${engine.root}/cluster/volumes/${directory}`;
    assert.equal(readFileSync(`${path}/sub/own`, "utf8"), "part\n");
    const { gid, mode } = statSync(`${path}/file`);
    assert.deepEqual([gid, mode & 0o060], [4321, 0o060]);
    assert.equal(statSync(`${path}/sub`).mode & 0o2000, 0o2000);
    // What a link of the volume points to is not the volume's.
    assert.equal(statSync("/etc/passwd").gid, passwd);
  });

  await t.test("a claim in use stays until its pod is gone, and its directory goes with it", async () => {
    await kube("patch", "pvc", "data", "-p", '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}');
    await until("pvc/data", "{.status.capacity.storage}", "2Gi");
    await kube("delete", "pvc", "data", "--wait=false");
    assert.equal(await kube("exec", "reader", "--", "cat", "/data/file"), "kept\n");
    await end("reader");
    await kube("wait", "pvc/data", "--for=delete", "--timeout=120s");
    await kube("wait", "pv", "--all", "--for=delete", "--timeout=120s");
    assert.deepEqual(directories(), []);
  });

  await t.test("at once, and kept after its claim, where a class says so; who asks too much is told", async () => {
    await apply(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: kept}
provisioner: boxship.io/directory
reclaimPolicy: Retain
volumeBindingMode: Immediate
`);
    await apply(
      claim("kept", ", storageClassName: kept") + claim("block", ", storageClassName: kept, volumeMode: Block"),
    );
    await until("pvc/kept", "{.status.phase}", "Bound");
    const volume = await field("pvc/kept", "{.spec.volumeName}");
    const path = await field(`pv/${volume}`, "{.spec.local.path}");
    writeFileSync(`${path}/file`, "mine");
    await kube("wait", "--for=jsonpath={.status.phase}=Pending", "pvc/block", "--timeout=60s");
    await kube("delete", "pvc", "kept");
    await until(`pv/${volume}`, "{.status.phase}", "Released");
    await kube("delete", "pv", volume, "--timeout=60s");
    assert.equal(readFileSync(`${path}/file`, "utf8"), "mine");
    const events = await kube("get", "events", "--field-selector=involvedObject.name=block");
    assert.match(events, /ProvisioningFailed .* volumeMode Block is not supported/);
    await kube("delete", "pvc", "block");
  });

  await t.test("a pod with users of its own reads and owns what it mounts, and is nobody on the machine", async () => {
    const host = `${cluster.home}/of-the-host`;
    mkdirSync(host);
    writeFileSync(`${host}/kept`, "of the host\n", { mode: 0o600 });
    await apply(claim("owned") + withUsers("users-a", host) + withUsers("users-b", host));
    await Promise.all([ready("users-a"), ready("users-b")]);
    const first = async (name: string) =>
      (await kube("exec", name, "--", "awk", "{print $1, $2, $3}", "/proc/1/uid_map")).trim().split(" ").map(Number);
    const [a, b] = [await first("users-a"), await first("users-b")];
    const [, outside = 0] = a;
    assert.deepEqual([a[0], a[2], outside % 65_536], [0, 65_536, 0]);
    assert.ok(outside > 0);
    assert.notEqual(b[1], outside);
    assert.equal(processesOf(outside, /^sleep 4711/).length, 1);
    const owners = await kube("exec", "users-a", "--", "sh", "-c", SHOW_OWNERS);
    assert.equal(owners, OWNERS);
    const volume = await field("pvc/owned", "{.spec.volumeName}");
    const path = await field(`pv/${volume}`, "{.spec.local.path}");
    const onDisk = [`${path}/users-a`, `${host}/users-a`].map((file) => [statSync(file).uid, statSync(file).gid]);
    assert.deepEqual(onDisk, [
      [0, 4321],
      [0, 0],
    ]);
    assert.match(await kube("logs", "users-a"), /^of the host$/m);
    // Who comes later comes into the same users.
    {
      await using forwarded = await cluster.forward("pod/users-a", 80);
      assert.equal(await (await fetch(`http://127.0.0.1:${forwarded.port}/key`)).text(), "value\n");
    }
    const look = [
      "debug",
      "users-a",
      "-c",
      "look",
      "--image=busybox:latest",
      "--image-pull-policy=Never",
      "--target=c",
    ];
    await kube(...look, "--", "sh", "-c", "cat /proc/self/uid_map; ls /proc/1/root/map; touch /proc/1/root/tmp/seen");
    await until("pod/users-a", "{.status.ephemeralContainerStatuses[0].state.terminated.exitCode}", "0");
    const seen = await kube("logs", "users-a", "-c", "look");
    assert.match(seen, new RegExp(`^ +0 +${outside} +65536\\nkey\\n$`));
    await cluster.crash();
    assert.deepEqual(await first("users-a"), a);
    assert.equal(await kube("exec", "users-a", "--", "sh", "-c", SHOW_OWNERS), OWNERS);
    // The next run of its container, made by processes that have read of it only.
    for (const pid of processesOf(outside, /^sleep 4711/)) process.kill(pid, "SIGKILL");
    await until("pod/users-a", "{.status.containerStatuses[0].restartCount}", "1");
    await ready("users-a");
    assert.deepEqual(await first("users-a"), a);
    await end("users-a", "users-b");
    // Without a grace period they are gone from the API before they are from the node.
    for (let tries = 0; readdirSync(`${cluster.nodeDirectory}/pods`).length > 0; tries++) {
      assert.ok(tries < 1000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.deepEqual(processesOf(outside, /./), []);
    const refused = await cluster.tried(["apply", "-f", "-"], {
      input: withUsers("users-c", host, "hostNetwork: true, hostPID: true, "),
    });
    assert.match(
      refused.stderr,
      /spec\.hostNetwork: Forbidden: when `hostUsers` is false\b[^]*spec\.HostPID: Forbidden/,
    );
    // What cannot have the pod's owners is told.
    await apply(withUsers("users-d", "/proc/sys"));
    assert.match(
      await cluster.told("users-d", /cannot be mounted/),
      /the file system of \/proc\/sys cannot be mounted with other ids/,
    );
    await end("users-d");
    await kube("delete", "pvc", "owned", "--timeout=120s");
  });

  await t.test("volumes by hand: hostPath and local ones; claims of the pod's own", async () => {
    const host = `${cluster.home}/host`;
    mkdirSync(`${host}/local/etc`, { recursive: true });
    writeFileSync(`${host}/local/etc/passwd`, "of the volume\n");
    symlinkSync("/etc", `${host}/local/escape`);
    const node = await field("node", "{.items[0].metadata.name}");
    const affinity = `{required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [${node}]}]}]}}`;
    const common = "accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, storageClassName: hand";
    await apply(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: by-path, labels: {kind: path}}
spec: {${common}, hostPath: {path: ${host}/made, type: DirectoryOrCreate}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: local, labels: {kind: local}}
spec: {${common}, local: {path: ${host}/local}, nodeAffinity: ${affinity}}
${claim("by-path", ", storageClassName: hand, selector: {matchLabels: {kind: path}}")}
${claim("local", ", storageClassName: hand, selector: {matchLabels: {kind: local}}")}
${pod("hand", {
  command: "echo 1 > /p/f; echo 2 > /l/f; echo 3 > /e/f; touch /tmp/done",
  mounts: "[{name: p, mountPath: /p}, {name: l, mountPath: /l}, {name: e, mountPath: /e}]",
  volumes:
    "[{name: p, persistentVolumeClaim: {claimName: by-path}}, {name: l, persistentVolumeClaim: {claimName: local}}, {name: e, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}}}]",
})}`);
    await ready("hand");
    assert.equal(readFileSync(`${host}/made/f`, "utf8"), "1\n");
    assert.equal(readFileSync(`${host}/local/f`, "utf8"), "2\n");
    const own = await field("pvc/hand-e", "{.spec.volumeName}");
    const path = await field(`pv/${own}`, "{.spec.local.path}");
    assert.equal(readFileSync(`${path}/f`, "utf8"), "3\n");
    // A link leads nowhere else than into the volume.
    await apply(
      pod("escape", {
        command: "touch /tmp/done",
        mounts: "[{name: l, mountPath: /l, subPath: escape/passwd}]",
        volumes: "[{name: l, persistentVolumeClaim: {claimName: local}}]",
      }),
    );
    await cluster.end("SIGKILL");
    // The machine has another name now: the node that volumes are bound to is the same.
    await cluster.start("renamed");
    assert.equal(await kube("exec", "hand", "--", "cat", "/e/f"), "3\n");
    await ready("escape");
    assert.equal(await kube("exec", "escape", "--", "cat", "/l"), "of the volume\n");
    await end("hand", "escape");
    await kube("wait", `pv/${own}`, "--for=delete", "--timeout=120s");
    assert.ok(!existsSync(path));
    assert.equal(readFileSync(`${host}/local/f`, "utf8"), "2\n");
  });

  await t.test(
    "volumes whose server does not answer, more of them than Node has threads, hold nobody else up",
    async () => {
      const claimed = `${cluster.home}/claimed`;
      mkdirSync(claimed);
      await apply(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: late}
spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, storageClassName: late, hostPath: {path: ${claimed}}}
${claim("late", ", storageClassName: late")}
${pod("late", { command: "touch /tmp/done", mounts: "[{name: v, mountPath: /v}]", volumes: "[{name: v, persistentVolumeClaim: {claimName: late}}]" })}`);
      await ready("late");
      // One that was there stops answering, and its pod runs.
      const late = await hungMount(claimed);
      const hung = await hungMount(`${cluster.home}/stuck/hung`);
      const names = Array.from({ length: 8 }, (_, at) => `stuck-${at}`);
      const volumes = (path: string, type = "") => `[{name: v, hostPath: {path: ${cluster.home}/stuck${path}${type}}}]`;
      const mounted = [
        { volumes: volumes("/hung", ", type: Directory"), mounts: "[{name: v, mountPath: /v}]" },
        { volumes: volumes("/hung"), mounts: "[{name: v, mountPath: /v}]" },
        { volumes: volumes("/hung"), mounts: "[{name: v, mountPath: /v, subPath: a/b}]" },
        { volumes: volumes(""), mounts: "[{name: v, mountPath: /v, subPath: hung/b}]" },
      ];
      try {
        const stuck = names.map((name, at) => pod(name, { command: "true", ...(mounted[at % 4] ?? assert.fail()) }));
        await apply(stuck.join(""));
        await told("stuck-0", /FailedMount.*the file system of .*stuck\/hung does not answer/);
        await told("stuck-3", /the file system of .*stuck\/hung\/b does not answer/);
        await apply(pod("beside", { command: "touch /tmp/done", mounts: "[]", volumes: "[]" }));
        await ready("beside");
        assert.equal(await kube("exec", "beside", "--", "echo", "here"), "here\n");
        const node = await field("node", "{.items[0].metadata.name}");
        for (let times = 0; times < 5; times++) await kube("get", "--raw", `/api/v1/nodes/${node}/proxy/metrics`);
        await end("beside", "late", ...names);
      } finally {
        late[Symbol.dispose]();
        hung[Symbol.dispose]();
      }
    },
  );
});
