import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { test } from "node:test";
import { removeClusterRecord } from "@boxship/base/cluster-record";
import { kubectl, runProgram, startCluster } from "@boxship/testkit";

const skip = kubectl("", "") === undefined ? "kubectl cannot be had here" : false;

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
    command: [sh, -c, "mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www"]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`;
const NAME = "web.default.svc.cluster.local";

test("the cluster and the engine's networks find each other, whether the cluster's process is there or not", {
  skip,
  timeout: 600_000,
}, async (t) => {
  // Networks of services that no other test has: this machine is asked for them, too.
  await using cluster = await startCluster({ flags: ["--service-cidr", "10.214.0.0/20"] });
  const { kube, apply, field, engine } = cluster;
  await apply(OBJECTS);
  const post = <Answer>(path: string, body: object): Promise<Answer> => engine.client.json<Answer>("POST", path, body);
  const start = async (name: string, network: string, internal: boolean): Promise<void> => {
    await post("/networks/create", { Name: network, Internal: internal });
    const HostConfig = { NetworkMode: network };
    const body = { Image: "busybox:latest", Cmd: ["sleep", "100000"], HostConfig };
    const { Id } = await post<{ Id: string }>(`/containers/create?name=${name}`, body);
    await engine.client.json("POST", `/containers/${Id}/start`);
  };
  await start("box", "lan", false);
  await start("shut", "inner", true);
  await kube("wait", "pod/web", "--for=condition=Ready", "--timeout=120s");
  const address = await field("service/web", "{.spec.clusterIP}");

  const inside = async (name: string, ...words: readonly string[]) => {
    const { State } = await engine.client.json<{ State: { Pid: number } }>("GET", `/containers/${name}/json`);
    return await runProgram(["nsenter", "--net", "--mount", "--target", String(State.Pid), ...words]);
  };
  const look = async (name: string): Promise<string> => (await inside(name, "nslookup", NAME)).stdout;
  const fetch = (name: string, host: string) =>
    inside(name, "sh", "-c", `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${host} 80`);
  /** As programs of this machine ask. */
  const resolver = new Resolver({ timeout: 2000, tries: 5 });
  resolver.setServers(["10.214.0.10"]);

  await t.test("containers find services by name, and reach them", async () => {
    assert.match(await look("box"), new RegExp(`Address.*: ${address}$`, "m"));
    assert.match((await fetch("box", NAME)).stdout, /^web$/m);
  });

  await t.test("not so those on internal networks", async () => {
    assert.doesNotMatch(await look("shut"), new RegExp(`Address.*: ${address}$`, "m"));
    assert.doesNotMatch((await fetch("shut", address)).stdout, /^web$/m);
    // Nor is a pod reached past its services.
    const podIP = await field("pod/web", "{.status.podIP}");
    const { stdout } = await inside("box", "sh", "-c", `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 ${podIP} 8080`);
    assert.doesNotMatch(stdout, /^web$/m);
  });

  await t.test("pods find containers by name and network", async () => {
    const { NetworkSettings } = await engine.client.json<{
      NetworkSettings: { Networks: { lan: { IPAddress: string } } };
    }>("GET", "/containers/box/json");
    const said = (await cluster.tried(["exec", "web", "--", "nslookup", "box.lan.boxship.internal"])).stdout;
    assert.match(said, new RegExp(`Address.*: ${NetworkSettings.Networks.lan.IPAddress}$`, "m"));
    for (const absent of ["shut.inner", "box.inner", "nobody.lan"]) {
      const { stdout } = await cluster.tried(["exec", "web", "--", "nslookup", `${absent}.boxship.internal`]);
      assert.match(stdout, /NXDOMAIN/);
    }
  });

  await t.test("names are answered while the cluster's process is away", async () => {
    await cluster.end("SIGKILL");
    assert.deepEqual(await resolver.resolve4(NAME), [address]);
    assert.match(await look("box"), new RegExp(`Address.*: ${address}$`, "m"));
    assert.match((await fetch("box", NAME)).stdout, /^web$/m);
  });

  await t.test(
    "and after both were, as soon as the cluster is back; nobody is told before that they are not there",
    async () => {
      await removeClusterRecord(`${engine.root}/cluster`);
      await engine.crash();
      await engine.start();
      const codes: string[] = [];
      while (codes.at(-1) !== "ESERVFAIL") {
        codes.push(await resolver.resolve4(NAME).then(String, ({ code }: { code: string }) => code));
      }
      // Nobody listens yet, or does not know yet.
      assert.deepEqual(
        codes.filter((code) => code !== "ECONNREFUSED" && code !== "ESERVFAIL"),
        [],
      );
      await cluster.start();
      assert.deepEqual(await resolver.resolve4(NAME), [address]);
      await kube("create", "service", "externalname", "late", "--external-name=web.default.svc.cluster.local");
      for (let found = false; !found; ) {
        found = await resolver.resolve4("late.default.svc.cluster.local").then(
          () => true,
          () => false,
        );
      }
      await cluster.end("SIGTERM");
      assert.doesNotMatch(await look("box"), new RegExp(address));
    },
  );
});
