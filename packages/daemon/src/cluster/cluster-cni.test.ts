import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { kubectl, runProgram, startCluster, tempDir } from "@boxship/testkit";

const PLUGINS = "/usr/lib/cni";
const skip =
  kubectl("", "") === undefined
    ? "kubectl cannot be had here"
    : existsSync(`${PLUGINS}/bridge`)
      ? false
      : "the reference plugins are not here";

/** Networks that no other test has. */
const PODS = ["10.217.0.0/24", "fd00:b0:217::/64"];
const SERVICES = ["10.217.128.0/20", "fd00:b0:218::/112"];
const BRIDGE = "boxcni217";
const PORT = 28_217;

/** What the reference plugins make of a pod: a bridge, addresses of both families, host ports, limits. */
const listOf = (leases: string, more: object = {}): string =>
  JSON.stringify({
    cniVersion: "1.0.0",
    name: "pods217",
    plugins: [
      {
        type: "bridge",
        bridge: BRIDGE,
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: leases,
          ranges: PODS.map((subnet) => [{ subnet }]),
          routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
        },
        dns: { nameservers: ["192.0.2.217"], domain: "cni.example", search: ["more.example"], options: ["ndots:3"] },
        ...more,
      },
      { type: "portmap", capabilities: { portMappings: true } },
      { type: "bandwidth", capabilities: { bandwidth: true } },
    ],
  });

const bracketed = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** Plugins leave chains of theirs for the next one. */
async function natTables(): Promise<readonly string[]> {
  const { stdout } = await runProgram(["nft", "list", "tables"]);
  return stdout.split("\n").filter((line) => line.endsWith(" nat"));
}

const OBJECTS = `
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web}
  annotations: {kubernetes.io/ingress-bandwidth: 80M, kubernetes.io/egress-bandwidth: 80M}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: busybox:latest
    imagePullPolicy: Never
    command:
    - sh
    - -c
    - |
      mkdir -p /www/cgi-bin
      printf '#!/bin/sh\\necho; echo web $REMOTE_ADDR' > /www/cgi-bin/who
      chmod +x /www/cgi-bin/who
      exec httpd -f -p 8080 -h /www
    ports: [{containerPort: 8080, hostPort: ${PORT}}]
    readinessProbe: {httpGet: {port: 8080, path: /cgi-bin/who}, periodSeconds: 1}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  dnsPolicy: Default
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: "busybox:latest", imagePullPolicy: Never, command: [sleep, "100000"]}
---
apiVersion: v1
kind: Pod
metadata: {name: nobody, annotations: {kubernetes.io/egress-bandwidth: 80M}}
spec:
  hostUsers: false
  terminationGracePeriodSeconds: 0
  securityContext: {sysctls: [{name: net.ipv4.tcp_fin_timeout, value: "31"}]}
  containers:
  - name: c
    image: busybox:latest
    imagePullPolicy: Never
    command: [sh, -c, "mkdir /www; echo nobody > /www/index.html; exec httpd -f -p 80 -h /www"]
    securityContext: {capabilities: {add: [NET_ADMIN]}}
    ports: [{containerPort: 80, hostPort: ${PORT + 1}}]
    readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, ipFamilyPolicy: RequireDualStack, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`;

test("pods have their network by CNI plugins, where that is asked for", { skip, timeout: 600_000 }, async (t) => {
  await using directory = tempDir();
  const configurations = directory.join("net.d");
  const leases = directory.join("leases");
  await mkdir(configurations);
  await using stack = new AsyncDisposableStack();
  const before = await natTables();
  stack.defer(async () => {
    await runProgram(["ip", "link", "del", BRIDGE]);
    const left = (await natTables()).filter((table) => !before.includes(table));
    for (const table of left) await runProgram(["nft", "delete", ...table.split(" ")]);
  });
  await using cluster = await startCluster({
    flags: [
      ...["--cni-conf-dir", configurations, "--cni-bin-dir", PLUGINS],
      ...["--pod-cidr", PODS.join(","), "--service-cidr", SERVICES.join(",")],
    ],
    ready: false,
  });
  const { kube, apply, field } = cluster;
  const sh = (pod: string, script: string) => kube("exec", pod, "--", "sh", "-c", script);
  const ask = (address: string, port = 80): string =>
    `printf 'GET /cgi-bin/who HTTP/1.0\\r\\n\\r\\n' | nc -w 20 ${address} ${port} | tail -n 1`;
  const held = async (): Promise<string[]> =>
    (await readdir(`${leases}/pods217`).catch(() => [])).filter((file) => /^[\da-f.:]+$/.test(file));
  /** Pods without a time to end are gone from the API before they are taken apart. */
  const until = async (addresses: number): Promise<void> => {
    for (let tries = 0; (await held()).length !== addresses; tries++) {
      assert.ok(tries < 600, `${addresses} addresses, not ${(await held()).join(", ")}`);
      await setTimeout(100);
    }
  };
  /** A file appears whole. */
  const configure = async (text: string): Promise<void> => {
    await writeFile(directory.join("new"), text);
    await rename(directory.join("new"), `${configurations}/10-pods.conflist`);
  };

  await t.test("without a configuration the node says so", async () => {
    const ready = "{.items[0].status.conditions[?(@.type=='Ready')]";
    assert.equal(await kube("get", "nodes", "-o", `jsonpath=${ready}.status}`), "False");
    assert.equal(
      await kube("get", "nodes", "-o", `jsonpath=${ready}.message}`),
      "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized",
    );
    await apply(OBJECTS);
    await configure(listOf(leases));
    await kube("wait", "node", "--all", "--for=condition=Ready", "--timeout=120s");
    await kube("wait", "pod", "--all", "--for=condition=Ready", "--timeout=120s");
  });

  await t.test("addresses, names, host ports and limits are the plugins'", async () => {
    const [four = "", six = ""] = (await field("pod/web", "{.status.podIPs[*].ip}")).split(" ");
    assert.match(four, /^10\.217\.0\.\d+$/);
    assert.match(six, /^fd00:b0:217::/);
    assert.deepEqual((await held()).length, 6);
    assert.match(await sh("client", ask(four, 8080)), /^web .*10\.217\.0\./);
    assert.match(await sh("client", ask(six, 8080)), /^web /);
    const conf = await sh("client", "cat /etc/resolv.conf");
    assert.match(conf, /^nameserver 192\.0\.2\.217$/m);
    assert.match(conf, /^search cni\.example more\.example$/m);
    assert.match(conf, /^options ndots:3$/m);
    const host = await field("pod/web", "{.status.hostIP}");
    const { stdout } = await runProgram(["curl", "-sS", "-m", "10", `http://${host}:${PORT}/cgi-bin/who`]);
    assert.match(stdout, /^web /);
    const limits = await runProgram(["tc", "qdisc", "show"]);
    assert.match(limits.stdout, /tbf .*rate 80Mbit/);
  });

  await t.test("a pod with users of its own has them, too, in a network of its own", async () => {
    const uids = await sh("nobody", "cat /proc/self/uid_map");
    assert.match(uids, /^ +0 +[1-9]\d+ +65536$/m);
    for (const address of (await field("pod/nobody", "{.status.podIPs[*].ip}")).split(" "))
      assert.equal(await sh("client", `wget -qO- http://${bracketed(address)}/`), "nobody\n", address);
    const host = await field("pod/nobody", "{.status.hostIP}");
    const { stdout } = await runProgram(["curl", "-sS", "-m", "10", `http://${host}:${PORT + 1}/`]);
    assert.equal(stdout, "nobody\n");
    // The network is its users': who is root there changes it.
    assert.equal(
      await sh(
        "nobody",
        "cat /proc/sys/net/ipv4/tcp_fin_timeout; ip link set eth0 mtu 1300; cat /sys/class/net/eth0/mtu",
      ),
      "31\n1300\n",
    );
    await kube("delete", "pod", "nobody", "--wait");
    await until(4);
  });

  await t.test("services lead to them", async () => {
    for (const address of (await field("service/web", "{.spec.clusterIPs[*]}")).split(" ")) {
      assert.match(await sh("client", ask(address)), /^web /);
      assert.match(await sh("web", ask(address)), /^web /, "a pod that meets itself");
      const { stdout } = await runProgram(["curl", "-sS", "-m", "10", `http://${bracketed(address)}/cgi-bin/who`]);
      assert.match(stdout, /^web /);
    }
    const name = await sh("web", "nslookup web.default.svc.cluster.local | tail -n +3");
    assert.match(name, /10\.217\./);
  });

  await t.test("what is given back is given back, after a crash too; a changed file counts from then on", async () => {
    await cluster.crash();
    assert.match(await sh("client", ask(await field("service/web", "{.spec.clusterIP}"))), /^web /);
    await configure(listOf(leases, { mtu: 1400 }));
    await kube("delete", "pod", "client", "--wait");
    await until(2);
    await kube("run", "later", "--image=busybox:latest", "--image-pull-policy=Never", "--", "sleep", "100000");
    await kube("wait", "pod/later", "--for=condition=Ready", "--timeout=120s");
    assert.match(await sh("later", "cat /sys/class/net/eth0/mtu"), /^1400$/m);
    await kube("delete", "pod", "--all", "--wait", "--grace-period=0", "--force");
    await until(0);
  });
});
