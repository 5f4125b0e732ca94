import assert from "node:assert/strict";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  cliProgram,
  etcdCertificates,
  etcdProgram,
  kubectl,
  type Ran,
  runProgram,
  startEtcd,
  tempDir,
} from "@boxship/testkit";

const OTHERS = `apiVersion: v1
kind: Config
clusters: [{name: other, cluster: {server: "https://other:6443"}}]
users: [{name: other, user: {token: abc}}]
contexts: [{name: other, context: {cluster: other, user: other}}]
current-context: other
`;

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await condition()); tries++) {
    assert.ok(tries < 300, "it does not happen");
    await delay(100);
  }
}

/** An instance, and clients that know it by the user's own kubeconfig. */
function instance(name: string, directory: ReturnType<typeof tempDir>) {
  const home = directory.join("home");
  mkdirSync(directory.join("home/.kube"), { recursive: true });
  const root = directory.join("root");
  const env = { BOXSHIP_RUN: directory.join("run"), HOME: home };
  const tried = (...args: readonly string[]): Promise<Ran> =>
    runProgram([...cliProgram(), "--name", name, "--root", root, ...args], { env });
  return {
    root,
    config: `${home}/.kube/config`,
    tried,
    boxship: async (...args: readonly string[]): Promise<string> => {
      const { status, stdout, stderr } = await tried(...args);
      assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
      return stdout;
    },
    kube: async (...args: readonly string[]): Promise<string> => {
      const run = kubectl(`${home}/.kube/config`, home);
      assert.ok(run !== undefined);
      const { status, stdout, stderr } = await run(args);
      assert.equal(status, 0, stderr);
      return stdout;
    },
    pid: () => Number(readFileSync(directory.join("run/cluster.pid"), "utf8")),
  };
}

/** One that is told of requests, and lets pat do what he likes. */
async function otherServer(directory: ReturnType<typeof tempDir>) {
  const received: string[] = [];
  const pem = (name: string) => readFileSync(directory.join(name));
  const server = createServer({ key: pem("server.key"), cert: pem("server.pem") }, (request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
    request.on("end", () => {
      received.push(text);
      response.end(JSON.stringify({ status: { allowed: text.includes('"user":"pat"') } }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const [policy, kubeconfig] = [directory.join("policy.yaml"), directory.join("others.yaml")];
  writeFileSync(policy, "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{ level: RequestResponse }]\n");
  const cluster = { server: `https://127.0.0.1:${port}`, "certificate-authority": directory.join("ca.pem") };
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      "current-context": "o",
      contexts: [{ name: "o", context: { cluster: "o", user: "o" } }],
      clusters: [{ name: "o", cluster }],
      users: [{ name: "o", user: {} }],
    }),
  );
  return {
    received,
    policy,
    kubeconfig,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Who decides about secrets: the webhook; about all else the roles. */
const authorization = (kubeconfig: string): string => `apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- type: Webhook
  name: others
  webhook:
    timeout: 10s
    authorizedTTL: 1s
    unauthorizedTTL: 1s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: NoOpinion
    connectionInfo: { type: KubeConfigFile, kubeConfigFile: ${kubeconfig} }
    matchConditions:
    - expression: has(request.resourceAttributes) && request.resourceAttributes.resource == 'secrets'
- { type: Node, name: node }
- { type: RBAC, name: rbac }
`;

const skip =
  kubectl("", "") === undefined || etcdProgram() === undefined ? "kubectl or etcd cannot be had here" : false;

test("the state is saved and brought back, its keys change, and a killed cluster comes back with the engine", {
  skip,
  timeout: 300_000,
}, async () => {
  await using directory = tempDir();
  const { boxship, tried, kube, config, root, pid } = instance("saved", directory);
  // Somebody's own, kept elsewhere.
  const kept = directory.join("dotfiles");
  writeFileSync(kept, OTHERS, { mode: 0o640 });
  chownSync(kept, 1234, 1234);
  symlinkSync(kept, config);
  await using _reset = { [Symbol.asyncDispose]: async () => void (await tried("system", "reset", "--force")) };
  assert.match(
    await boxship("up", "--no-node", "--port", "0", "--merge-kubeconfig"),
    /It is the current context of .*\/\.kube\/config/,
  );
  assert.ok(lstatSync(config).isSymbolicLink());
  const { mode, uid, gid } = statSync(kept);
  assert.deepEqual([mode & 0o777, uid, gid], [0o640, 1234, 1234]);
  assert.equal(statSync(`${root}/cluster/admin.kubeconfig`).mode & 0o777, 0o600);
  assert.match(await boxship("up"), /^The cluster is running already \(process \d+\)\n$/);
  assert.equal(await kube("config", "get-contexts", "-o", "name"), "other\nsaved\n");
  assert.match(
    await kube("explain", "pod.spec.containers"),
    /A single application container that you want to run within a pod/,
  );
  assert.match(
    await kube("explain", "hpa", "--recursive"),
    /HorizontalPodAutoscaler is the configuration for a horizontal pod\n/,
  );
  assert.equal(
    await boxship("kubectl", "create", "configmap", "kept", "--from-literal=a=1"),
    "configmap/kept created\n",
  );
  await kube("create", "secret", "generic", "hidden", "--from-literal=word=swordfish");

  const snapshot = directory.join("snapshot");
  assert.match(
    await boxship("store", "snapshot", snapshot),
    /holds the \d+ keys of revision \d+\nSecrets in it are sealed/,
  );
  assert.deepEqual(
    [snapshot, `${root}/cluster/state.db`, `${root}/cluster/state.db-wal`].map((file) => statSync(file).mode & 0o777),
    [0o600, 0o600, 0o600],
  );
  assert.match((await tried("store", "snapshot", snapshot)).stderr, /exists already/);
  assert.match(await boxship("store", "check"), /^The state in SQLite is sound: \d+ objects\n$/);
  assert.match((await tried("store", "restore", snapshot)).stderr, /the cluster is running/);
  assert.match((await tried("store", "migrate", "--to", "etcd")).stderr, /the cluster is running/);

  const keys = () => readFileSync(`${root}/cluster/secrets.keys`, "utf8").trim().split("\n");
  const [first] = keys();
  assert.match(await boxship("store", "rotate-keys"), /^1 secrets are sealed by a new key/);
  assert.equal(keys()[1], first);
  await boxship("store", "rotate-keys");
  assert.equal(keys().includes(first ?? ""), false);
  assert.equal(keys().length, 2);
  const word = "{.data.word}";
  assert.equal(await kube("get", "secret", "hidden", "-o", `jsonpath=${word}`), "c3dvcmRmaXNo");
  await kube("delete", "secret", "hidden");
  await kube("create", "configmap", "later");
  const own = `${root}/cluster/admin.kubeconfig`;
  await boxship("kubectl", "--kubeconfig", own, "config", "set-context", "--current", "--namespace=chosen");

  // As a reboot: the process is gone, and nobody has said down. The engine starts it again, where clients know it.
  process.kill(pid(), "SIGKILL");
  await boxship("ps");
  await eventually(
    async () => (await kubectl(config, directory.join("home"))?.(["get", "configmap", "later"]))?.status === 0,
  );

  assert.match(readFileSync(own, "utf8"), /"?namespace"?: "?chosen/, "what was chosen stays");

  assert.equal(await boxship("down"), "The cluster is stopped\n");
  assert.equal(existsSync(directory.join("run", "cluster.pid")), false);
  assert.equal(await boxship("down"), "The cluster is not running\n");
  assert.match(
    await boxship("store", "restore", snapshot),
    /^The state is that of revision \d+; changes go on at \d+\n/,
  );
  const written = directory.join("written.kubeconfig");
  writeFileSync(written, OTHERS, { mode: 0o600 });
  await boxship("up", "--no-node", "--port", "0", "--merge-kubeconfig", "--kubeconfig", written);
  assert.equal(await kube("get", "configmaps", "-o", "name"), "configmap/kept\nconfigmap/kube-root-ca.crt\n");
  // Sealed by a key that was forgotten since.
  assert.match((await tried("store", "check")).stderr, /the state in SQLite is damaged: 1 problems/);
  assert.equal(statSync(written).mode & 0o777, 0o600);
  await boxship("system", "reset", "--force");
  assert.match(readFileSync(written, "utf8"), /other:6443/);
  assert.doesNotMatch(readFileSync(written, "utf8"), /saved/);
});

test("the state moves to etcd and back, and etcd may go away for a while", { skip, timeout: 300_000 }, async () => {
  await using directory = tempDir();
  const pem = (name: string) => directory.join(name);
  await etcdCertificates(directory);
  const tls = { ca: pem("ca.pem"), certificate: pem("server.pem"), key: pem("server.key") };
  const release = etcdProgram("current") === undefined ? "stable" : "current";
  await using etcd = await startEtcd({ tls, release });
  const { boxship, tried, kube, config } = instance("moved", directory);
  const endpoints = etcd.endpoints.join(",");
  const known = ["--etcd-ca", pem("ca.pem"), "--etcd-cert", pem("client.pem"), "--etcd-key", pem("client.key")];
  await using _down = { [Symbol.asyncDispose]: async () => void (await tried("down")) };
  await using others = await otherServer(directory);
  const asked = ["--audit-policy-file", others.policy, "--audit-webhook-config-file", others.kubeconfig];
  await boxship(
    "up",
    "--no-node",
    "--port",
    "0",
    "--merge-kubeconfig",
    ...asked,
    "--authorization-webhook-config-file",
    others.kubeconfig,
  );
  await kube("create", "secret", "generic", "hidden", "--from-literal=word=swordfish");
  assert.equal(await kube("auth", "can-i", "list", "secrets", "--as", "pat"), "yes\n");
  await boxship("down");
  assert.match(others.received.join("\n"), /"kind":"EventList".*"verb":"create".*"resource":"secrets"/);
  assert.doesNotMatch(others.received.join("\n"), /swordfish|c3dvcmRmaXNo/);
  assert.match((await tried("up", "--no-node", "--store", "etcd")).stderr, /needs its addresses/);
  const other = await tried("up", "--no-node", "--store", "etcd", "--etcd-endpoints", endpoints, ...known);
  assert.match(other.stderr, /the cluster's state is in SQLite[^]*boxship store migrate --to etcd/);
  assert.match(
    await boxship("store", "migrate", "--to", "etcd", "--etcd-endpoints", endpoints, ...known),
    /^\d+ keys of revision \d+ are in etcd at https:\/\/127\.0\.0\.1:\d+ now, at revision \d+\n/,
  );
  const deciders = directory.join("deciders.yaml");
  const decide = (text: string) => writeFileSync(deciders, text);
  decide(authorization(others.kubeconfig).replace("failurePolicy", "failurePolitics"));
  const upWithDeciders = ["up", "--no-node", "--port", "0", "--merge-kubeconfig", "--authorization-config", deciders];
  const wrong = await tried(...upWithDeciders);
  assert.notEqual(wrong.status, 0);
  assert.match(
    wrong.stderr,
    /the authorization configuration is wrong: .*unknown field "authorizers\[0\].webhook.failurePolitics"/,
  );
  assert.equal(await boxship("down"), "The cluster is not running\n");
  decide(authorization(others.kubeconfig));
  await boxship(...upWithDeciders);
  const mayList = async (resource: string): Promise<string> => {
    const run = kubectl(config, directory.join("home"));
    return (await run?.(["auth", "can-i", "list", resource, "--as", "pat"]))?.stdout.trim() ?? "";
  };
  assert.deepEqual([await mayList("secrets"), await mayList("pods")], ["yes", "no"]);
  decide("authorizers: [");
  const log = () => readFileSync(directory.join("run/cluster.log"), "utf8");
  await eventually(async () => log().includes("the authorization configuration is not taken"));
  assert.equal(await mayList("secrets"), "yes", "those from before go on");
  decide(authorization(others.kubeconfig).replace("secrets", "pods"));
  await eventually(async () => (await mayList("pods")) === "yes");
  assert.equal(await mayList("secrets"), "no");
  assert.equal(await kube("get", "secret", "hidden", "-o", "name"), "secret/hidden\n");
  await kube("create", "configmap", "there");
  assert.match(await boxship("store", "check"), /^The state in etcd at .* is sound: \d+ objects\n$/);
  await boxship("store", "snapshot", directory.join("snapshot"));

  const [member] = etcd.members;
  member?.kill("SIGKILL");
  await member?.ended();
  await member?.start();
  await kube("create", "configmap", "after");

  await boxship("down");
  assert.match(
    (await tried("store", "restore", directory.join("snapshot"))).stderr,
    /everything in etcd would be replaced/,
  );
  assert.match((await tried("store", "restore", "--force", directory.join("none"))).stderr, /none is not there/);
  assert.match(await boxship("store", "check"), /^The state in etcd at .* is sound: \d+ objects\n$/);
  await boxship("store", "restore", "--force", directory.join("snapshot"));
  assert.match((await tried("store", "migrate", "--to", "sqlite")).stderr, /holds \d+ keys already/);
  await boxship("store", "migrate", "--to", "sqlite", "--force");
  await boxship("up", "--no-node", "--port", "0", "--merge-kubeconfig");
  const names = "configmap/kube-root-ca.crt\nconfigmap/there\nsecret/hidden\n";
  assert.equal(await kube("get", "configmaps,secrets", "-o", "name"), names);
});
