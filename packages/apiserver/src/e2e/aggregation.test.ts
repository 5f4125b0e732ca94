import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { kubectl } from "@boxship/testkit";
import { issueCertificate, makeAuthority } from "../certificates/issue-certificate.ts";
import { type ApiUnderTest, type Loose, startApi } from "../testing/api-under-test.ts";

const THINGS = "/apis/extension.example/v1/namespaces/default/things";
const SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices";
const AGGREGATED = { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" };

describe("a server of the API behind this one", { timeout: 300_000 }, () => {
  let api: ApiUnderTest;
  let child: ChildProcess;
  let port = 0;
  let caBundle = "";
  let pair: { key: string; certificate: string };

  const startExtension = async (): Promise<void> => {
    child = fork(new URL("../testing/extension-process.ts", import.meta.url), {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    child.send({
      key: pair.key,
      cert: pair.certificate,
      ca: readFileSync(api.directory.join("pki/front-proxy-ca.crt"), "utf8"),
    });
    [{ port }] = (await once(child, "message")) as [{ port: number }];
  };
  const stopExtension = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  const sliceOf = () => ({
    metadata: { name: "x1", labels: { "kubernetes.io/service-name": "x" } },
    addressType: "IPv4",
    ports: [{ name: "", port, protocol: "TCP" }],
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
  });
  const condition = async (name = "v1.extension.example"): Promise<Loose> => {
    return (await api.call("GET", `${SERVICES}/${name}`)).json.status?.conditions?.[0] ?? {};
  };
  const until = async (reason: string): Promise<Loose> => {
    for (let tries = 0; tries < 600; tries++) {
      const found = await condition();
      if (found.reason === reason) return found;
      await delay(50);
    }
    assert.fail(`${reason} does not come: ${JSON.stringify(await condition())}`);
  };
  const made = async (path: string, body: unknown): Promise<void> => {
    const { status, text } = await api.call("POST", path, { body });
    assert.equal(status, 201, text);
  };

  before(async () => {
    api = await startApi();
    const authority = await makeAuthority("extension", Date.now());
    caBundle = Buffer.from(authority.certificate).toString("base64");
    pair = await issueCertificate(
      authority,
      { commonName: "x", usage: "server", names: ["x.default.svc"], addresses: [] },
      Date.now(),
    );
    await startExtension();
  });
  after(async () => {
    await stopExtension();
    await api[Symbol.asyncDispose]();
  });

  test("is found when its service, its addresses and its answers are there, and is asked then", async () => {
    const spec = {
      group: "extension.example",
      version: "v1",
      groupPriorityMinimum: 1000,
      versionPriority: 15,
      service: { name: "x", namespace: "default", port: 443 },
      caBundle,
    };
    await made(SERVICES, { metadata: { name: "v1.extension.example" }, spec });
    assert.equal((await until("ServiceNotFound")).message, 'service/x in "default" is not present');
    const unavailable = await api.call("GET", THINGS);
    assert.deepEqual([unavailable.status, unavailable.json.reason], [503, "ServiceUnavailable"]);
    const stale = (await api.call("GET", "/apis", { headers: AGGREGATED })).json.items.at(-1);
    assert.deepEqual([stale.metadata.name, stale.versions[0].freshness], ["extension.example", "Stale"]);
    await made("/api/v1/namespaces/default/services", { metadata: { name: "x" }, spec: { ports: [{ port: 443 }] } });
    await made("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", sliceOf());
    const passed = await until("Passed");
    assert.deepEqual([passed.status, passed.message], ["True", "all checks passed"]);

    assert.deepEqual((await api.call("GET", "/apis/extension.example")).json.versions, [
      { groupVersion: "extension.example/v1", version: "v1" },
    ]);
    const { json } = await api.call("GET", "/apis", { headers: AGGREGATED });
    const [version] = json.items.at(-1).versions;
    assert.equal(version.freshness, "Current");
    assert.deepEqual(version.resources[0].shortNames, ["xt"]);
    assert.equal(version.resources[0].subresources[0].subresource, "status");
    const thing = {
      apiVersion: "extension.example/v1",
      kind: "Thing",
      metadata: { name: "one", namespace: "default" },
    };
    await made(THINGS, thing);
    const answer = await api.call("GET", `${THINGS}/one`);
    assert.deepEqual([answer.json, answer.headers["x-from"]], [thing, "extension"]);
    assert.equal((await api.call("GET", `${THINGS}/none`)).status, 404);
  });

  test("knows who asks by our word, and nobody else's", async () => {
    const said = {
      "x-remote-user": "root",
      "x-remote-group": "system:masters",
      "x-remote-extra-a": "b",
      cookie: "c=d",
    };
    const impersonated = {
      "impersonate-user": "jane",
      "impersonate-uid": "42",
      "impersonate-group": "tester",
      "impersonate-extra-Some%2Fkey": "v",
    };
    const role = {
      metadata: { name: "tester" },
      rules: [{ apiGroups: ["extension.example"], resources: ["*"], verbs: ["*"] }],
    };
    await made("/apis/rbac.authorization.k8s.io/v1/clusterroles", role);
    await made("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name: "tester" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "tester" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "tester" }],
    });
    const { json } = await api.call("GET", `${THINGS}/who`, { headers: { ...said, ...impersonated } });
    const { headers, host } = json;
    assert.deepEqual(
      ["user", "uid", "group", "extra-a", "extra-some%2fkey"].map((name) => headers[`x-remote-${name}`]),
      ["jane", "42", "tester, system:authenticated", undefined, "v"],
    );
    assert.equal(host, "x.default.svc");
    for (const name of ["authorization", "cookie", "impersonate-user"]) assert.equal(headers[name], undefined, name);
    // Whether one may is decided here, before.
    const refused = await api.call("GET", `${THINGS}/who`, { headers: { "impersonate-user": "nobody" } });
    assert.equal(refused.status, 403);
  });

  test("a caller with the front proxy's certificate says who asks, and without a name is nobody", async () => {
    const read = (name: string) => readFileSync(api.directory.join(`pki/${name}`), "utf8");
    const agent = new Agent({
      ca: read("ca.crt"),
      cert: read("front-proxy-client.crt"),
      key: read("front-proxy-client.key"),
    });
    const review = async (headers: Record<string, string>): Promise<Loose> => {
      const sent = request(`${api.url}/apis/authentication.k8s.io/v1/selfsubjectreviews`, {
        method: "POST",
        agent,
        headers,
      });
      sent.setHeader("content-type", "application/json");
      sent.end(JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" }));
      const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      return JSON.parse(text);
    };
    const { userInfo } = (await review({ "x-remote-user": "jane", "x-remote-group": "a", "x-remote-extra-k": "v" }))
      .status;
    assert.deepEqual(userInfo, { username: "jane", groups: ["a", "system:authenticated"], extra: { k: ["v"] } });
    assert.equal((await review({})).code, 401);
    agent.destroy();
    const said = await api.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
      headers: { "x-remote-user": "jane" },
    });
    assert.equal(said.json.status.userInfo.username, "kubernetes-admin");
    const config = await api.call(
      "GET",
      "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication",
    );
    assert.equal(config.json.data["requestheader-client-ca-file"], read("front-proxy-ca.crt"));
  });

  test("may be slow or gone, and nothing else is", async () => {
    const slow = await api.call("GET", `${THINGS}/stalled?timeout=300ms`);
    assert.deepEqual([slow.status, slow.json.reason], [504, "Timeout"]);
    await stopExtension();
    const gone = await api.call("GET", `${THINGS}/one`);
    assert.deepEqual([gone.status, gone.json.reason], [503, "ServiceUnavailable"]);
    // What a cluster begins with is never somebody else's, whatever an APIService says.
    const service = { name: "x", namespace: "default" };
    const spec = {
      group: "apps",
      version: "v1",
      groupPriorityMinimum: 20000,
      versionPriority: 100,
      service,
      insecureSkipTLSVerify: true,
    };
    await made(SERVICES, { metadata: { name: "v1.apps" }, spec });
    assert.equal((await api.call("GET", "/apis/apps/v1/deployments")).status, 200);
    assert.equal((await api.call("GET", "/apis/apps/v1")).json.resources.length > 3, true);
    await api.restart();
    assert.equal((await api.call("GET", "/api/v1/namespaces")).status, 200);
    await until("FailedDiscoveryCheck");
  });

  test("kubectl reaches it once it is back", async () => {
    await startExtension();
    const path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/x1";
    assert.equal((await api.call("PUT", path, { body: sliceOf() })).status, 200);
    await until("Passed");
    await made(THINGS, {
      apiVersion: "extension.example/v1",
      kind: "Thing",
      metadata: { name: "two", namespace: "default" },
    });
    const run = kubectl(api.kubeconfig, api.directory.join("home"));
    if (run === undefined) return;
    assert.equal((await run(["get", "xt", "two", "-o", "name"])).stdout, "thing.extension.example/two\n");
    assert.match((await run(["get", "apiservices", "v1.extension.example"])).stdout, /default\/x +True/);
  });
});
