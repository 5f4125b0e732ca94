import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { kubectl } from "@boxship/testkit";
import { FRONT_PROXY_CLIENT } from "../certificates/cluster-certificates.ts";
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
    await api.keepSlice(sliceOf());
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
    const kept = { ...thing, metadata: { ...thing.metadata, resourceVersion: "1" } };
    assert.deepEqual([answer.json, answer.headers["x-from"]], [kept, "extension"]);
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
    // A new certificate of ours is on the next connection.
    const { certificates } = api;
    const subject = { commonName: FRONT_PROXY_CLIENT, usage: "client" } as const;
    const client = await issueCertificate(certificates.frontProxy.signer, subject, Date.now());
    api.server().renew({ ...certificates, frontProxy: { ...certificates.frontProxy, client } });
    const { serialNumber } = new X509Certificate(client.certificate);
    assert.notEqual(json.serial, serialNumber);
    assert.equal((await api.call("GET", `${THINGS}/who`)).json.serial, serialNumber);
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
    const taken = await api.call("PATCH", `${SERVICES}/v1.apps`, {
      body: { spec },
      headers: { "content-type": "application/merge-patch+json" },
    });
    assert.equal(taken.status, 200, taken.text);
    assert.equal((await api.call("GET", "/apis/apps/v1/deployments")).status, 200);
    assert.equal((await api.call("GET", "/apis/apps/v1")).json.resources.length > 3, true);
    await api.restart();
    assert.equal((await api.call("GET", "/api/v1/namespaces")).status, 200);
    await until("FailedDiscoveryCheck");
    const again = (await api.call("GET", `${SERVICES}/v1.apps`)).json;
    assert.deepEqual(again.spec, { group: "apps", groupPriorityMinimum: 17800, version: "v1", versionPriority: 15 });
  });

  test("what is served here has APIServices, and custom resources have theirs as long as they are there", async () => {
    const local = async (name: string): Promise<Loose> => (await api.call("GET", `${SERVICES}/${name}`)).json;
    const core = await local("v1.");
    assert.equal(core.metadata.labels["kube-aggregator.kubernetes.io/automanaged"], "onstart");
    assert.deepEqual(core.spec, { groupPriorityMinimum: 18000, version: "v1", versionPriority: 1 });
    const [told] = core.status.conditions;
    assert.deepEqual(
      [told.type, told.status, told.reason, told.message],
      ["Available", "True", "Local", "Local APIServices are always available"],
    );
    const shown = async (name: string, holds: (found: Loose) => boolean): Promise<Loose> => {
      for (let tries = 0; tries < 600; tries++) {
        const found = await local(name);
        if (holds(found)) return found;
        await delay(20);
      }
      assert.fail(`${name} is ${JSON.stringify(await local(name))}`);
    };
    const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const schema = { openAPIV3Schema: { type: "object" } };
    await made(CRDS, {
      metadata: { name: "gadgets.local.example" },
      spec: {
        group: "local.example",
        names: { plural: "gadgets", kind: "Gadget" },
        scope: "Namespaced",
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    });
    const isTold = (found: Loose): boolean => found.status?.conditions?.[0]?.reason === "Local";
    const own = await shown("v1.local.example", isTold);
    assert.deepEqual(own.spec, {
      group: "local.example",
      groupPriorityMinimum: 1000,
      version: "v1",
      versionPriority: 100,
    });
    await api.call("DELETE", `${SERVICES}/v1.local.example`);
    const back = await shown("v1.local.example", (found) => isTold(found) && found.metadata.uid !== own.metadata.uid);
    assert.equal(back.metadata.labels["kube-aggregator.kubernetes.io/automanaged"], "true");
    assert.equal((await api.call("DELETE", `${CRDS}/gadgets.local.example`)).status, 200);
    await shown("v1.local.example", (found) => found.code === 404);
  });

  test("kubectl reaches it once it is back", async () => {
    await startExtension();
    await api.keepSlice(sliceOf());
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
    const told = await run(["explain", "thing.spec.size"]);
    assert.match(told.stdout, /GROUP: +extension.example\nKIND: +Thing[^]*How large it is\./, told.stderr);
  });

  test("its OpenAPI is part of this one's", async () => {
    const { json: index } = await api.call("GET", "/openapi/v3");
    assert.deepEqual(index.paths["apis/extension.example/v1"], {
      serverRelativeURL: "/openapi/v3/apis/extension.example/v1?hash=ABC",
    });
    const { json: v3 } = await api.call("GET", "/openapi/v3/apis/extension.example/v1");
    assert.equal(v3.components.schemas["example.v1.Thing"].description, "Thing is what this server serves.");
    const { json: v2 } = await api.call("GET", "/openapi/v2");
    assert.ok(
      v2.paths["/apis/extension.example/v1/namespaces/{namespace}/things"] !== undefined &&
        v2.paths["/api/v1/pods"] !== undefined,
    );
    assert.equal(v2.paths["/apis/other.example/v1/others"], undefined);
    assert.equal(v2.definitions["example.v1.Thing"].properties.spec.$ref, "#/definitions/example.v1.Spec");
    assert.equal(v2.definitions["example.v1.Spec"].properties.next.$ref, "#/definitions/example.v1.Spec");
    assert.equal(v2.definitions["example.v1.Unused"], undefined);
    assert.ok(v2.definitions["io.k8s.api.core.v1.Pod"] !== undefined);
  });

  test("connections that become another protocol's are passed on, both ways", async () => {
    const read = (name: string) => readFileSync(api.directory.join(`pki/${name}`));
    const agent = new Agent({ ca: read("ca.crt"), cert: read("admin.crt"), key: read("admin.key") });
    const open = (path: string, more: Record<string, string> = {}) => {
      const headers = {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-protocol": "v5.channel.k8s.io",
        "x-remote-user": "root",
        ...more,
      };
      const sent = request(`${api.url}${path}`, { agent, headers });
      sent.end();
      return sent;
    };
    const [answer, socket] = (await once(open(`${THINGS}/one/talk`), "upgrade")) as [
      import("node:http").IncomingMessage,
      import("node:net").Socket,
    ];
    assert.deepEqual(
      [answer.statusCode, answer.headers["x-user"], answer.headers["sec-websocket-protocol"]],
      [101, "kubernetes-admin", "v5.channel.k8s.io"],
    );
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    socket.write("abc".repeat(100_000));
    while (text.length < 300_006) await once(socket, "data");
    assert.equal(text, `hello ${"ABC".repeat(100_000)}`);
    const closed = once(socket, "close");
    socket.end();
    await closed;
    const statusOf = async (path: string, more?: Record<string, string>): Promise<number | undefined> => {
      const [response] = (await once(open(path, more), "response")) as [import("node:http").IncomingMessage];
      response.resume();
      return response.statusCode;
    };
    assert.equal(await statusOf(`${THINGS}/refused/talk`), 403, "as the server behind says");
    assert.equal(await statusOf(`${THINGS}/one/talk`, { "impersonate-user": "nobody" }), 403, "as we say");
    assert.equal(await statusOf("/api/v1/namespaces/default"), 200, "what is no other server's is answered as ever");
    agent.destroy();
  });
});
