import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { Agent, get } from "node:http";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Cluster, kubectl, kubernetesProgram, startCluster } from "@boxship/testkit";
import { OPERATOR_OBJECTS, site, withProgram } from "./testing/operator-objects.ts";

const skip = kubectl("", "") === undefined ? "kubectl cannot be had here" : false;

const OBJECTS = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: default}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  serviceAccountName: reader
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: busybox:latest
    imagePullPolicy: Never
    command: [sleep, "100000"]${withProgram("kubectl", kubernetesProgram("kubectl") ?? "")}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: c
        image: busybox:latest
        imagePullPolicy: Never
        command: [sh, -c, "mkdir /www; hostname > /www/index.html; touch /www/ready; exec httpd -f -p 8080 -h /www"]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {exec: {command: [test, -f, /www/ready]}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: balanced}
spec:
  type: LoadBalancer
  externalIPs: [203.0.113.77]
  selector: {app: web}
  ports: [{port: 28080, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
`;

const GET = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' |";

/** What a server says over a connection of its own; rejects when it does not. */
async function ask(url: string): Promise<string> {
  return (await askBy(new Agent(), url)).text;
}

function askBy(agent: Agent, url: string): Promise<{ readonly text: string; readonly reused: boolean }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, timeout: 20_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ text: text.trim(), reused: request.reusedSocket })).on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", reject);
  });
}

/**
 * A server as those that take part in rolling updates are: told to end, it takes what still comes for a while, and ends
 * each connection with its next answer.
 */
const SERVER = `
const server = require("node:http").createServer((request, response) => {
  if (ending) response.setHeader("connection", "close");
  response.end(process.env.HOSTNAME);
});
let ending = false;
server.listen(8080);
process.on("SIGTERM", () => { ending = true; setTimeout(() => server.close(), 2000); });
`;

const STEADY = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: steady}
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  selector: {matchLabels: {app: steady}}
  template:
    metadata: {labels: {app: steady}}
    spec:
      containers:
      - name: c
        image: busybox:latest
        imagePullPolicy: Never
        command: [node, -e, ${JSON.stringify(SERVER)}]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {port: http}, periodSeconds: 1}
${withProgram("node", realpathSync(process.execPath)).replaceAll(/^/gm, "    ")}
---
apiVersion: v1
kind: Service
metadata: {name: steady}
spec: {type: LoadBalancer, selector: {app: steady}, ports: [{port: 28081, targetPort: http}]}
`;

/** Asks until everybody who should has answered, and nobody else did in the last twenty answers. */
async function answeredBy(url: string, wanted: readonly string[]): Promise<void> {
  let last: string[] = [];
  const until = performance.now() + 60_000;
  while (performance.now() < until) {
    last = [...last, await ask(url).catch(() => "nobody")].slice(-20);
    const seen = new Set(last);
    if (last.length === 20 && wanted.every((name) => seen.has(name)) && seen.size === wanted.length) return;
  }
  assert.fail(`answered by ${[...new Set(last)].join(", ")} instead of ${wanted.join(", ")}`);
}

/** Asks at each of the addresses over and over, over one connection and over a new one each time, until it is ended. */
function load(...urls: readonly string[]) {
  const failures: string[] = [];
  const names = new Set<string>();
  const counts = { asked: 0, reused: 0 };
  const ending = new AbortController();
  const run = async (url: string, keepAlive: boolean): Promise<void> => {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    while (!ending.signal.aborted) {
      counts.asked++;
      try {
        const { text, reused } = await askBy(agent, url);
        names.add(text);
        if (reused) counts.reused++;
        await delay(5);
      } catch (error) {
        failures.push(`${url}${keepAlive ? " (kept)" : ""}: ${String(error)}`);
      }
    }
    agent.destroy();
  };
  const running = Promise.all(urls.flatMap((url) => [run(url, true), run(url, false)]));
  return {
    async end() {
      ending.abort();
      await running;
      return { ...counts, failures, names };
    },
  };
}

/** A change of image and the way back, each in another strategy, at every address of a service. */
async function updatedUnderLoad({ kube, apply, field, until, engine }: Cluster): Promise<void> {
  assert.equal((await engine.client.call("POST", "/images/busybox:latest/tag?repo=busybox&tag=2")).status, 201);
  await apply(STEADY);
  const rolled = () => kube("rollout", "status", "deployment/steady", "--timeout=120s");
  const path = "{.items[*].metadata.name}";
  const pods = async () => (await kube("get", "pods", "-l", "app=steady", "-o", `jsonpath=${path}`)).split(" ");
  await rolled();
  await until("service/steady", "{.status.loadBalancer.ingress[0].ipMode}", "VIP");
  const address = await field("service/steady", "{.spec.clusterIP}");
  const nodePort = await field("service/steady", "{.spec.ports[0].nodePort}");
  const [balancer] = (await field("service/steady", "{.status.loadBalancer.ingress[*].ip}")).split(" ");
  const urls = [`http://${address}:28081`, `http://127.0.0.1:${nodePort}`, `http://${balancer}:28081`];
  await Promise.all(urls.map((url) => answered(url)));
  const generations = [await pods()];
  const loaded = load(...urls);
  const gone = (names: readonly string[] = []) => kube("wait", "pod", ...names, "--for=delete", "--timeout=120s");
  await kube("set", "image", "deployment/steady", "c=busybox:2");
  await rolled();
  await gone(generations[0]);
  generations.push(await pods());
  await kube("patch", "deployment", "steady", "-p", JSON.stringify({ spec: { strategy: ONE_LESS } }));
  await kube("rollout", "undo", "deployment/steady");
  await rolled();
  await gone(generations[1]);
  generations.push(await pods());
  const { asked, reused, failures, names } = await loaded.end();
  assert.deepEqual(failures, []);
  assert.ok(asked > 100 && reused > 50, `asked ${asked} times, ${reused} of them over a connection that was there`);
  assert.deepEqual([...names].sort(), generations.flat().sort());
  assert.match(await kube("get", "deployment", "steady", "-o", "wide"), /busybox:latest/);
  await kube("delete", "deployment,service", "steady");
}

const ONE_LESS = { rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } };

/** Waits until somebody answers: what is ready is not at once what the service knows. */
async function answered(url: string): Promise<void> {
  const until = performance.now() + 60_000;
  while ((await ask(url).catch(() => "")) === "") assert.ok(performance.now() < until, `${url} does not answer`);
}

test("services answer at their addresses, and follow their pods", { skip, timeout: 600_000 }, async (t) => {
  await using cluster = await startCluster();
  const { kube, apply, field, tried } = cluster;
  await apply(OBJECTS);
  await kube("rollout", "status", "deployment/web", "--timeout=120s");
  await kube("wait", "pod/client", "--for=condition=Ready", "--timeout=120s");
  const pods = async (): Promise<string[]> =>
    (await kube("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}")).split(" ").sort();
  const address = await field("service/web", "{.spec.clusterIP}");
  const service = `http://${address}`;
  const nodePort = await field("service/web", "{.spec.ports[0].nodePort}");

  await t.test("by cluster address and node port, from this machine and from pods", async () => {
    const all = await pods();
    await answeredBy(service, all);
    await answeredBy(`http://127.0.0.1:${nodePort}`, all);
    // The second one asks itself, too.
    for (const pod of ["client", all[0] ?? ""]) {
      const said = await kube(
        "exec",
        pod,
        "--",
        "sh",
        "-c",
        `for i in 1 2 3 4 5 6 7 8; do ${GET} nc ${address} 80; done`,
      );
      assert.deepEqual(new Set(said.match(/^web-.*$/gm)), new Set(all));
    }
    const nobody = await field("service/nobody", "{.spec.clusterIP}");
    assert.equal((await tried(["exec", "client", "--", "nc", "-w", "20", nobody, "80"])).status, 1);
  });

  await t.test("by the address of a balancer, and by one that was chosen", async () => {
    const all = await pods();
    await cluster.until("service/balanced", "{.status.loadBalancer.ingress[0].ipMode}", "VIP");
    const [balancer] = (await field("service/balanced", "{.status.loadBalancer.ingress[*].ip}")).split(" ");
    await answeredBy(`http://${balancer}:28080`, all);
    const said = await kube("exec", "client", "--", "sh", "-c", `${GET} nc -w 20 203.0.113.77 28080`);
    assert.match(said, /^web-/m);
  });

  await t.test("the API answers pods, with their account and what they trust", async () => {
    assert.match(await kube("exec", "client", "--", "kubectl", "get", "pods", "-o", "name"), /^pod\/client$/m);
    const denied = await tried(["exec", "client", "--", "kubectl", "get", "secrets"]);
    assert.match(denied.stderr, /cannot list resource "secrets"/);
    assert.match(await kube("get", "endpoints", "kubernetes", "-o", "name"), /kubernetes/);
  });

  await t.test("names of services, of pods and of others are found from pods", async () => {
    const look = async (...words: readonly string[]): Promise<string> => {
      const { stdout } = await tried(["exec", "client", "--", "nslookup", ...words]);
      return stdout;
    };
    assert.match(await look("web.default.svc.cluster.local"), new RegExp(`Address.*: ${address}$`, "m"));
    assert.match(await look("web"), new RegExp(`Address.*: ${address}$`, "m"));
    // A library that knows of search domains.
    const account = "/var/run/secrets/kubernetes.io/serviceaccount";
    const trust = `--certificate-authority=${account}/ca.crt --token=$(cat ${account}/token)`;
    const words = `kubectl -s https://kubernetes.default ${trust} -n default get pods -o name`;
    assert.match(await kube("exec", "client", "--", "sh", "-c", words), /^pod\/client$/m);
    assert.match(await look("absent.default.svc.cluster.local"), /NXDOMAIN/);
    const ip = await field("pod/client", "{.status.podIP}");
    const dashed = ip.replaceAll(".", "-");
    assert.match(await look(`${dashed}.default.pod.cluster.local`), new RegExp(`Address.*: ${ip}$`, "m"));
    const configuration = await kube("exec", "client", "--", "cat", "/etc/resolv.conf");
    assert.match(configuration, /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/m);
    assert.match(configuration, new RegExp(`^nameserver ${cluster.services}.10$`, "m"));
    assert.match(configuration, /^options ndots:5$/m);
    assert.match(
      await kube("get", "service", "-n", "kube-system"),
      new RegExp(`kube-dns +ClusterIP +${cluster.services}.10 +.*53/UDP,53/TCP`),
    );
  });

  await t.test("a pod that is not ready is left out, and comes back", async () => {
    const [first = "", second = ""] = await pods();
    await kube("exec", first, "--", "rm", "/www/ready");
    await answeredBy(service, [second]);
    await kube("exec", first, "--", "touch", "/www/ready");
    await answeredBy(service, [first, second]);
  });

  await t.test("the API passes requests on to pods, and to those of services", async () => {
    const all = await pods();
    const raw = (path: string) => kube("get", "--raw", `/api/v1/namespaces/default/${path}/proxy/`);
    assert.equal(await raw(`pods/${all[0]}`), `${all[0]}\n`);
    assert.ok(all.includes((await raw("services/web:80")).trim()));
    assert.match(await kube("cluster-info"), /CoreDNS.* is running at .*\/services\/kube-dns:dns\/proxy/);
  });

  await t.test("a rolling update under load and the way back lose no request, at any address", () =>
    updatedUnderLoad(cluster),
  );

  await t.test("an operator in a pod, written with Kubernetes' own client, does its work by its account", async () => {
    await apply(`${OPERATOR_OBJECTS}---${site(2)}`);
    await cluster.told("shop", /Reconciled +configmap\/shop +has 2/);
    await cluster.until("deployment/shop", "{.status.readyReplicas}", "2");
  });

  await t.test("they serve while the cluster is away, and follow when it is back", async () => {
    const all = await pods();
    const loaded = load(service);
    await cluster.end("SIGKILL");
    await answeredBy(service, all);
    await cluster.start();
    assert.deepEqual((await loaded.end()).failures, []);
    await kube("scale", "deployment/web", "--replicas=1");
    await kube("rollout", "status", "deployment/web", "--timeout=120s");
    for (let left = await pods(); left.length > 1; left = await pods());
    await answeredBy(service, await pods());
  });

  await t.test("the operator's watch has ended meanwhile, and it goes on", async () => {
    await apply(site(1));
    await cluster.told("shop", /Reconciled +configmap\/shop +has 1/);
    await cluster.until("deployment/shop", "{.status.replicas}", "1");
    assert.equal(await field("pod/operator", "{.status.containerStatuses[0].restartCount}"), "0");
    // What it made goes with what it was made for.
    await kube("delete", "configmap", "shop");
    await kube("wait", "deployment/shop", "--for=delete", "--timeout=120s");
  });

  await t.test("nothing of them is left when the cluster is down", async () => {
    const table = `table inet ${cluster.engine.name}-svc`;
    const tables = () => execFileSync("nft", ["list", "tables"], { encoding: "utf8" });
    assert.ok(tables().includes(table));
    await cluster.end("SIGTERM");
    assert.ok(!tables().includes(table));
  });
});
