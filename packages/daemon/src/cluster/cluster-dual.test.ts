import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { kubectl, runProgram, startCluster } from "@boxship/testkit";

const skip = kubectl("", "") === undefined ? "kubectl cannot be had here" : false;

/** Networks that no other test has. */
const PODS = ["10.213.0.0/20", "fd00:b0:213::/64"];
const SERVICES = ["10.213.128.0/20", "fd00:b0:214::/112"];
/** The host's address on the bridge of the pods. */
const HOST = { IPv4: "10.213.0.1", IPv6: "fd00:b0:213::1" };

/** A server that tells who it is, and who asks. */
const OBJECTS = `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
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
    ports: [{containerPort: 8080, hostPort: 28213}]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
    env: [{name: IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: "busybox:latest", imagePullPolicy: Never, command: [sleep, "100000"]}
---
apiVersion: v1
kind: Pod
metadata:
  name: slow
  annotations: {kubernetes.io/ingress-bandwidth: 8M, kubernetes.io/egress-bandwidth: 8M}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: busybox:latest
    imagePullPolicy: Never
    command: [sh, -c, "mkdir /www; dd if=/dev/zero of=/www/large bs=1M count=2; exec httpd -f -p 8080 -h /www"]
---
apiVersion: v1
kind: Pod
metadata: {name: full, labels: {app: full}}
spec:
  hostname: first
  subdomain: named
  setHostnameAsFQDN: true
  hostAliases: [{ip: 192.0.2.7, hostnames: [seven, seven.example]}]
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: "busybox:latest", imagePullPolicy: Never, command: [sleep, "100000"]}
---
apiVersion: v1
kind: Service
metadata: {name: named}
spec: {clusterIP: None, selector: {app: full}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: on-host}
spec:
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: "busybox:latest", imagePullPolicy: Never, command: [sleep, "100000"]}
---
apiVersion: v1
kind: Pod
metadata: {name: as-host}
spec:
  dnsPolicy: Default
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: "busybox:latest", imagePullPolicy: Never, command: [sleep, "100000"]}
---
apiVersion: v1
kind: Pod
metadata: {name: alone}
spec:
  dnsPolicy: None
  dnsConfig: {nameservers: [192.0.2.53], searches: [alone.example], options: [{name: ndots, value: "2"}, {name: edns0}]}
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: "busybox:latest", imagePullPolicy: Never, command: [sleep, "100000"]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: six}
spec: {ipFamilies: [IPv6], selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: head}
spec: {clusterIP: None, ipFamilyPolicy: PreferDualStack, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: balanced}
spec:
  type: LoadBalancer
  ipFamilyPolicy: PreferDualStack
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
`;

const bracketed = (address: string): string => (address.includes(":") ? `[${address}]` : address);
/** As a server writes an address: perhaps in brackets, perhaps as one of the other family. */
const plain = (address: string): string => address.replace(/^\[|\]$/g, "").replace(/^::ffff:/, "");

test("pods and services have addresses of both families", { skip, timeout: 600_000 }, async (t) => {
  const pool = "10.213.200.1-10.213.200.4,fd00:b0:215::1-fd00:b0:215::4";
  await using cluster = await startCluster({
    flags: [
      ...["--pod-cidr", PODS.join(","), "--service-cidr", SERVICES.join(",")],
      ...["--cluster-domain", "both.example", "--load-balancer-pool", pool],
    ],
  });
  const { kube, apply, field } = cluster;
  await apply(OBJECTS);
  await kube("wait", "pod", "--all", "--for=condition=Ready", "--timeout=120s");
  const ips = async (object: string, path: string) => (await field(object, path)).split(" ");
  const webIPs = await ips("pod/web", "{.status.podIPs[*].ip}");
  const clientIPs = await ips("pod/client", "{.status.podIPs[*].ip}");
  const [four = "", six = ""] = await ips("service/web", "{.spec.clusterIPs[*]}");

  const fromHost = async (address: string, port = 80): Promise<string> => {
    const { stdout } = await runProgram([
      "curl",
      "-sS",
      "--max-time",
      "20",
      `http://${bracketed(address)}:${port}/cgi-bin/who`,
    ]);
    return stdout.trim();
  };
  const fromPod = async (address: string, port = 80): Promise<string> => {
    const words = `printf 'GET /cgi-bin/who HTTP/1.0\\r\\n\\r\\n' | nc -w 20 ${address} ${port}`;
    const said = await kube("exec", "client", "--", "sh", "-c", words);
    return /^web .*$/m.exec(said)?.[0]?.trim() ?? said;
  };

  await t.test("as they are told", async () => {
    const [node] = (await kube("get", "nodes", "-o", "name")).trim().split("\n");
    assert.deepEqual(await ips(node ?? "", "{.spec.podCIDRs[*]}"), PODS);
    assert.match(webIPs[0] ?? "", /^10\.213\.\d+\.\d+$/);
    assert.match(webIPs[1] ?? "", /^fd00:b0:213:/);
    assert.equal(await field("pod/web", "{.status.podIP}"), webIPs[0]);
    assert.equal((await kube("exec", "web", "--", "sh", "-c", "echo $IPS")).trim(), webIPs.join(","));
    const slices = await kube(
      "get",
      "endpointslices",
      "-l",
      "kubernetes.io/service-name=web",
      "-o",
      "jsonpath={.items[*].addressType}",
    );
    assert.deepEqual(slices.split(" ").sort(), ["IPv4", "IPv6"]);
    assert.equal(await field("service/kubernetes", "{.spec.clusterIP}"), "10.213.128.1");
  });

  await t.test("and reached by them, each by who it is", async () => {
    for (const [address, client] of [
      [four, clientIPs[0] ?? ""],
      [six, clientIPs[1] ?? ""],
    ] as const) {
      const [name, seen = ""] = (await fromPod(address)).split(" ");
      assert.equal(name, "web");
      assert.equal(plain(seen), client);
      assert.match(await fromHost(address), /^web /);
    }
    assert.match(await fromPod(await field("service/six", "{.spec.clusterIP}")), /^web /);
    const nodePort = Number(await field("service/web", "{.spec.ports[0].nodePort}"));
    for (const host of [HOST.IPv4, HOST.IPv6]) {
      assert.match(await fromHost(host, nodePort), /^web /);
      assert.match(await fromPod(host, nodePort), /^web /);
      assert.match(await fromHost(host, 28213), /^web /);
    }
    await cluster.until("service/balanced", "{.status.loadBalancer.ingress[1].ipMode}", "VIP");
    const balancers = await ips("service/balanced", "{.status.loadBalancer.ingress[*].ip}");
    assert.match(balancers.join(), /^10\.213\.200\.\d,fd00:b0:215::\d$/);
    for (const address of balancers) {
      assert.match(await fromHost(address), /^web /);
      assert.match(await fromPod(address), /^web /);
    }
  });

  await t.test("and found by name, in the zone of the cluster", async () => {
    const look = async (...words: readonly string[]): Promise<string> =>
      (await cluster.tried(["exec", "client", "--", "nslookup", ...words])).stdout;
    const both = await look("web.default.svc.both.example");
    for (const address of [four, six]) assert.ok(both.includes(`: ${address}\n`), both);
    const pods = await look("head.default.svc.both.example");
    for (const address of webIPs) assert.ok(pods.includes(`: ${address}\n`), pods);
    assert.match(await look(six), /name = web\.default\.svc\.both\.example/);
    assert.match(await look("web.default.svc.cluster.local"), /NXDOMAIN/);
    const configuration = await kube("exec", "client", "--", "cat", "/etc/resolv.conf", "/etc/hosts");
    assert.match(configuration, /^search default\.svc\.both\.example svc\.both\.example both\.example/m);
    assert.match(configuration, /^nameserver 10\.213\.128\.10$/m);
    for (const address of clientIPs) assert.ok(configuration.includes(`${address}\tclient\n`), configuration);
  });

  await t.test("pods know their full names, and ask whom their policy says", async () => {
    const name = "first.named.default.svc.both.example";
    const [address = ""] = await ips("pod/full", "{.status.podIPs[*].ip}");
    assert.equal((await kube("exec", "full", "--", "hostname")).trim(), name);
    const hosts = await kube("exec", "full", "--", "cat", "/etc/hosts");
    assert.match(hosts, new RegExp(`^${address}\t${name}\tfirst$`, "m"));
    assert.ok(hosts.endsWith("\n\n# Entries added by HostAliases.\n192.0.2.7\tseven\tseven.example\n"), hosts);
    const own = await readFile("/etc/hosts", "utf8");
    const onHost = await kube("exec", "on-host", "--", "cat", "/etc/hosts");
    assert.equal(onHost, `# Kubernetes-managed hosts file (host network).\n${own}`);
    const found = (await cluster.tried(["exec", "client", "--", "nslookup", name])).stdout;
    assert.ok(found.includes(`: ${address}\n`), found);
    const asks = (pod: string): Promise<string> => kube("exec", pod, "--", "cat", "/etc/resolv.conf");
    assert.match(await asks("on-host"), /^nameserver 10\.213\.128\.10$/m);
    assert.equal(await asks("alone"), "search alone.example\nnameserver 192.0.2.53\noptions ndots:2 edns0\n");
    const resolvers = await readFile("/etc/resolv.conf", "utf8");
    const servers = (text: string): readonly string[] => text.match(/^nameserver (?!127\.).*$/gm) ?? [];
    if (servers(resolvers).length > 0) assert.deepEqual(servers(await asks("as-host")), servers(resolvers));
    assert.doesNotMatch(await asks("as-host"), /both\.example/);
  });

  await t.test("as much comes and goes as their annotations say", async () => {
    await kube("exec", "web", "--", "dd", "if=/dev/zero", "of=/www/large", "bs=1M", "count=2");
    const slowIP = await field("pod/slow", "{.status.podIP}");
    const seconds = async (pod: string, address: string | undefined): Promise<number> => {
      const words = `cut -d " " -f 1 /proc/uptime; wget -q -O - http://${address}:8080/large | wc -c; cut -d " " -f 1 /proc/uptime`;
      const [began, size, ended] = (await kube("exec", pod, "--", "sh", "-c", words)).trim().split("\n").map(Number);
      assert.equal(size, 2 ** 21);
      return (ended ?? 0) - (began ?? 0);
    };
    const [into, out, free] = [
      await seconds("slow", webIPs[0]),
      await seconds("client", slowIP),
      await seconds("client", webIPs[0]),
    ];
    // 2 MiB at 1 MB a second, but for what may come at once.
    for (const took of [into, out]) assert.ok(took > 1.5, `${took} s`);
    assert.ok(free < into, `${free} s without a limit`);
  });

  await t.test("balancers of others are told whether endpoints are here", async () => {
    await kube("patch", "service", "balanced", "-p", '{"spec": {"externalTrafficPolicy": "Local"}}');
    const port = await field("service/balanced", "{.spec.healthCheckNodePort}");
    const ask = async () => await (await fetch(`http://127.0.0.1:${port}/healthz`)).json();
    const service = { namespace: "default", name: "balanced" };
    assert.deepEqual(await ask(), { service, localEndpoints: 1, serviceProxyHealthy: true });
    await kube("patch", "service", "balanced", "-p", '{"spec": {"selector": {"app": "nobody"}}}');
    while ((await fetch(`http://[::1]:${port}/`)).status !== 503);
    const whole = { spec: { externalTrafficPolicy: "Cluster", selector: { app: "web" } } };
    await kube("patch", "service", "balanced", "-p", JSON.stringify(whole));
    await assert.rejects(async () => {
      for (;;) await ask();
    });
  });

  await t.test("and lead in only whom they should", async () => {
    const balancers = await ips("service/balanced", "{.status.loadBalancer.ingress[*].ip}");
    const limit = async (...ranges: readonly string[]): Promise<void> => {
      const spec = { spec: { loadBalancerSourceRanges: ranges } };
      await kube("patch", "service", "balanced", "-p", JSON.stringify(spec));
    };
    await limit(`${clientIPs[0]}/32`, `${clientIPs[1]}/128`);
    for (const address of balancers) {
      const shut = ["curl", "-sS", "--max-time", "1", `http://${bracketed(address)}/`];
      // Until the kernel has been told, it answers.
      while ((await runProgram(shut)).status !== 28);
      assert.match(await fromPod(address), /^web /);
    }
    await limit();
    for (const address of balancers) assert.match(await fromHost(address), /^web /);
  });
});
