import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { kubectl, startCluster } from "@boxship/testkit";

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

test("claims get directories, and pods find in them what others left", { skip, timeout: 600_000 }, async (t) => {
  await using cluster = await startCluster();
  const { apply, engine, field, kube, until } = cluster;
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
});
