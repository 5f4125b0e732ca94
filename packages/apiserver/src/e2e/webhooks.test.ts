import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Answer, type ApiUnderTest, type Loose, startApi } from "../testing/api-under-test.ts";
import { startWebhook, type WebhookUnderTest } from "../testing/webhook-under-test.ts";

const GROUP = "/apis/admissionregistration.k8s.io/v1";

describe("admission webhooks", () => {
  let api: ApiUnderTest;
  let hook: WebhookUnderTest;
  let count = 0;
  const send = (method: string, path: string, body?: object): Promise<Answer> => api.call(method, path, { body });
  const webhook = (path: string, more: object = {}) => ({
    name: `w${path.slice(1)}.example.com`,
    clientConfig: { url: `https://localhost:${hook.port}${path}`, caBundle: hook.caBundle },
    rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    ...more,
  });
  /** Its webhooks are asked about one namespace only, and go with what this returns. */
  const configure = async (sort: "mutating" | "validating", namespace: string, ...webhooks: object[]) => {
    const name = `c-${count++}`;
    const plural = `${GROUP}/${sort}webhookconfigurations`;
    const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": namespace } };
    const made = await send("POST", plural, {
      metadata: { name },
      webhooks: webhooks.map((one) => ({ namespaceSelector, ...one })),
    });
    assert.equal(made.status, 201, made.text);
    return { [Symbol.asyncDispose]: async () => void (await send("DELETE", `${plural}/${name}`)) };
  };
  const namespace = async (): Promise<string> => {
    const name = `ns-${count++}`;
    await send("POST", "/api/v1/namespaces", { metadata: { name } });
    return name;
  };
  const map = (at: string, labels: Record<string, string> = {}, query = "") =>
    send("POST", `/api/v1/namespaces/${at}/configmaps${query}`, { metadata: { name: `m-${count++}`, labels } });
  before(async () => {
    [api, hook] = await Promise.all([startApi(), startWebhook()]);
  });
  after(async () => {
    await api?.[Symbol.asyncDispose]();
    await hook?.[Symbol.asyncDispose]();
  });

  test("change what is written, in their order, and again where they want to see later changes", async () => {
    const at = await namespace();
    await using _ = await configure(
      "mutating",
      at,
      webhook("/label-b", { reinvocationPolicy: "IfNeeded" }),
      webhook("/label-a"),
    );
    const made = await map(at);
    assert.deepEqual(made.json["metadata"].labels, { a: "1", b: "after-a" });
    const mine = hook.received.filter(({ review }) => review.request.namespace === at);
    assert.deepEqual(
      mine.map(({ path }) => path),
      ["/label-b", "/label-a", "/label-b"],
    );
    const request: Loose = mine[0]?.review.request;
    assert.deepEqual(
      [request.operation, request.kind, request.resource, request.userInfo.username, request.dryRun, request.oldObject],
      [
        "CREATE",
        { group: "", version: "v1", kind: "ConfigMap" },
        { group: "", version: "v1", resource: "configmaps" },
        "kubernetes-admin",
        false,
        null,
      ],
    );
    assert.match(mine[0]?.url ?? "", /\?timeout=10s$/);
    assert.equal(made.json["metadata"].managedFields, undefined, "what they add is nobody's");
    const dry = await map(at, {}, "?dryRun=All");
    assert.deepEqual([dry.status, hook.received.at(-1)?.review.request.dryRun], [201, true]);
  });

  test("what they add gets what every pod gets", async () => {
    const at = await namespace();
    await using _ = await configure(
      "mutating",
      at,
      webhook("/strip-resources", {
        rules: [{ operations: ["CREATE"], apiGroups: ["*"], apiVersions: ["*"], resources: ["pods"] }],
      }),
    );
    const limits = { limits: [{ type: "Container", default: { cpu: "1" } }] };
    await send("POST", `/api/v1/namespaces/${at}/limitranges`, { metadata: { name: "l" }, spec: limits });
    const body = { metadata: { name: "p" }, spec: { containers: [{ name: "a", image: "a" }] } };
    const pod = (await send("POST", `/api/v1/namespaces/${at}/pods`, body)).json;
    const [, sidecar] = pod.spec.containers;
    assert.deepEqual(
      [sidecar.name, sidecar.imagePullPolicy, sidecar.resources.limits, sidecar.volumeMounts.length],
      ["sidecar", "Always", { cpu: "1" }, 1],
    );
  });

  test("refuse, warn, and are asked only about what they match", async () => {
    const at = await namespace();
    {
      await using _ = await configure(
        "validating",
        at,
        webhook("/deny", { objectSelector: { matchLabels: { bad: "yes" } } }),
        webhook("/allow"),
      );
      const refused = await map(at, { bad: "yes" });
      assert.deepEqual(
        [refused.status, refused.json["message"]],
        [403, 'admission webhook "wdeny.example.com" denied the request: not today'],
      );
      const allowed = await map(at);
      assert.deepEqual([allowed.status, allowed.headers["warning"]], [201, '299 - "I was asked"']);
      assert.equal((await send("POST", `/api/v1/namespaces/${at}/secrets`, { metadata: { name: "s" } })).status, 201);
      assert.equal((await map(await namespace(), { bad: "yes" })).status, 201, "another namespace");
    }
    await using _ = await configure("validating", at, webhook("/deny-plainly"));
    assert.match((await map(at)).json["message"], /denied the request without explanation$/);
  });

  test("lies are found out: objects stay in their namespace, and warnings are no flood", async () => {
    const at = await namespace();
    {
      await using _ = await configure("mutating", at, webhook("/move"));
      const moved = await map(at);
      assert.deepEqual(
        [moved.status, moved.json["message"]],
        [
          400,
          `the namespace of the provided object does not match the namespace sent on the request (kube-system != ${at})`,
        ],
      );
    }
    const kept = (await map(at)).json;
    await using _ = await configure("mutating", at, webhook("/talk"));
    const talked = await map(at);
    assert.equal(talked.status, 201);
    const { warning } = talked.headers;
    const lines = String(warning).split(", 299 - ");
    assert.deepEqual([lines.length, lines.every((line) => line.length < 270)], [16, true]);
    const rules = [{ operations: ["UPDATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }];
    await using _move = await configure("mutating", at, webhook("/move", { rules }));
    const updated = await send("PUT", `/api/v1/namespaces/${at}/configmaps/${kept.metadata.name}`, {
      ...kept,
      data: { a: "1" },
    });
    assert.ok(updated.status >= 400 && updated.status < 500, `${updated.status} ${updated.text}`);
  });

  test("who cannot be asked holds the write up, or not, as its policy says", async () => {
    const at = await namespace();
    const cases: readonly [string, object, RegExp][] = [
      [
        "/stall",
        { timeoutSeconds: 1 },
        /failed calling webhook "wstall\.example\.com": failed to call webhook: Post "https:\/\/localhost:\d+\/stall\?timeout=1s": context deadline exceeded/,
      ],
      ["/garbage", {}, /received invalid webhook response/],
      ["/other-uid", {}, /expected response\.uid=/],
      ["/gone", { clientConfig: { url: "https://127.0.0.1:1/" } }, /ECONNREFUSED/],
      ["/foreign", { clientConfig: { url: `https://localhost:${hook.port}/allow` } }, /certificate/],
      ["/service", { clientConfig: { service: { name: "none", namespace: "default" } } }, /service "none" not found/],
    ];
    await Promise.all(
      cases.map(async ([path, more, words]) => {
        const own = await namespace();
        {
          await using _ = await configure("validating", own, webhook(path, more));
          const answer = await map(own);
          assert.deepEqual([answer.status, answer.json["reason"]], [500, "InternalError"], answer.text);
          assert.match(answer.json["message"], words);
        }
        await using _ = await configure("validating", own, webhook(path, { ...more, failurePolicy: "Ignore" }));
        assert.equal((await map(own)).status, 201, path);
      }),
    );
    const odd: readonly [string, number, number, RegExp][] = [
      ["/bad-patch", 500, 500, /^Internal error occurred: admission webhook/],
      ["/undecodable", 500, 201, /failed calling webhook ".*": received undecodable patch in webhook response: /],
      [
        "/untyped",
        500,
        201,
        /received invalid webhook response: webhook returned response\.patch but not response\.patchType$/,
      ],
      ["/odd-type", 500, 201, /failed calling webhook ".*": unsupported patch type "Merge"$/],
      [
        "/broken",
        500,
        201,
        /failed to call webhook: an error on the server \("boom"\) has prevented the request from succeeding$/,
      ],
    ];
    for (const [path, failing, ignoring, words] of odd) {
      {
        await using _ = await configure("mutating", at, webhook(path));
        const answer = await map(at);
        assert.deepEqual([answer.status, words.test(answer.json.message)], [failing, true], answer.text);
      }
      await using _ = await configure("mutating", at, webhook(path, { failurePolicy: "Ignore" }));
      const answer = await map(at);
      assert.deepEqual([answer.status, answer.headers["warning"]], [ignoring, undefined], path);
    }
    await using _ = await configure("validating", at, webhook("/label-a"));
    assert.match((await map(at)).json.message, /validating webhook may not return response\.patch$/);
  });

  test("old ones are asked in their version, and none makes an object another one", async () => {
    const at = await namespace();
    await using _ = await configure(
      "mutating",
      at,
      webhook("/old", { admissionReviewVersions: ["v2", "v1beta1", "v1"] }),
    );
    const made = await map(at);
    assert.deepEqual([made.status, made.json.metadata?.labels], [201, { old: "admission.k8s.io_v1beta1" }], made.text);
    await using __ = await configure("mutating", at, webhook("/other-identity"));
    const { uid, creationTimestamp } = (await map(at)).json.metadata;
    assert.notEqual(uid, "mine");
    assert.notEqual(creationTimestamp, "2000-01-01T00:00:00Z");
  });

  test("orders and parts are shown as what they are: evictions, bindings, scales, tokens, connections", async () => {
    const at = await namespace();
    const rules = [
      {
        operations: ["*"],
        apiGroups: ["", "apps"],
        apiVersions: ["v1"],
        resources: ["pods/eviction", "pods/binding", "pods/exec", "deployments/scale", "serviceaccounts/token"],
      },
    ];
    await using _ = await configure("validating", at, webhook("/allow", { rules }));
    const core = `/api/v1/namespaces/${at}`;
    const spec = { containers: [{ name: "a", image: "a" }] };
    for (const name of ["p", "q"]) await send("POST", `${core}/pods`, { metadata: { name }, spec });
    await send("POST", "/api/v1/nodes", { metadata: { name: `node-${at}` } });
    const target = { kind: "Node", name: `node-${at}` };
    assert.equal((await send("POST", `${core}/pods/p/binding`, { metadata: { name: "p" }, target })).status, 201);
    await send("POST", `${core}/pods/p/exec?command=sh&command=-c&stdin=true`);
    assert.equal((await send("POST", `${core}/pods/q/eviction`, { metadata: { name: "p" } })).status, 400);
    assert.equal((await send("POST", `${core}/pods/q/eviction`, { metadata: { name: "q" } })).status, 201);
    assert.equal((await send("POST", `${core}/serviceaccounts/default/token`, { spec: {} })).status, 201);
    const apps = `/apis/apps/v1/namespaces/${at}/deployments`;
    const template = { metadata: { labels: { a: "b" } }, spec };
    const deployment = { replicas: 1, selector: { matchLabels: { a: "b" } }, template };
    await send("POST", apps, { metadata: { name: "d" }, spec: deployment });
    const merge = { "content-type": "application/merge-patch+json" };
    await api.call("PATCH", `${apps}/d/scale`, { body: { spec: { replicas: 3 } }, headers: merge });
    const asked = hook.received
      .filter(({ review }) => review.request.namespace === at)
      .map(({ review }) => review.request);
    const seen = asked.map(({ operation, kind, resource, subResource }) => [
      operation,
      kind.kind,
      `${resource.resource}/${subResource}`,
    ]);
    assert.deepEqual(seen, [
      ["CREATE", "Binding", "pods/binding"],
      ["CONNECT", "PodExecOptions", "pods/exec"],
      ["CREATE", "Eviction", "pods/eviction"],
      ["CREATE", "TokenRequest", "serviceaccounts/token"],
      ["UPDATE", "Scale", "deployments/scale"],
    ]);
    const [binding, exec, , , scale] = asked;
    assert.equal(binding.object.target.name, `node-${at}`);
    assert.deepEqual([exec.object.command, exec.object.stdin, exec.name], [["sh", "-c"], true, "p"]);
    assert.deepEqual([scale.object.spec, scale.oldObject.spec], [{ replicas: 3 }, { replicas: 1 }]);
    await using __ = await configure("validating", at, webhook("/deny", { rules }));
    assert.equal((await send("POST", `${core}/pods/p/eviction`, { metadata: { name: "p" } })).status, 403);
    assert.equal((await send("GET", `${core}/pods/p`)).status, 200);
  });

  test("what mutates a scale changes what is scaled", async () => {
    const at = await namespace();
    const rules = [
      { operations: ["UPDATE"], apiGroups: ["apps"], apiVersions: ["v1"], resources: ["deployments/scale"] },
    ];
    const apps = `/apis/apps/v1/namespaces/${at}/deployments`;
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "a", image: "a" }] } };
    await send("POST", apps, { metadata: { name: "d" }, spec: { selector: { matchLabels: { a: "b" } }, template } });
    await using _ = await configure("mutating", at, webhook("/scale-to-7", { rules }));
    const merge = { "content-type": "application/merge-patch+json" };
    const scaled = await api.call("PATCH", `${apps}/d/scale`, { body: { spec: { replicas: 3 } }, headers: merge });
    assert.deepEqual([scaled.status, scaled.json["spec"]], [200, { replicas: 7 }], scaled.text);
    assert.equal((await send("GET", `${apps}/d`)).json["spec"].replicas, 7);
  });

  test("a service is asked where its endpoints are, by its name", async () => {
    const at = await namespace();
    const core = "/api/v1/namespaces/default";
    await send("POST", `${core}/services`, {
      metadata: { name: "hook" },
      spec: { ports: [{ port: 443, name: "https" }] },
    });
    await api.keepSlice({
      metadata: { name: "hook-1", labels: { "kubernetes.io/service-name": "hook" } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
      ports: [{ name: "https", port: hook.port }],
    });
    const service = { name: "hook", namespace: "default", path: "/deny" };
    await using _ = await configure(
      "validating",
      at,
      webhook("/deny", { clientConfig: { service, caBundle: hook.caBundle } }),
    );
    assert.equal((await map(at)).status, 403);
    assert.equal(hook.received.at(-1)?.host, "hook.default.svc");
  });

  test("nobody is locked out: what configures webhooks is not theirs, and the server starts again", async () => {
    const everything = webhook("/gone", {
      clientConfig: { url: "https://127.0.0.1:1/" },
      namespaceSelector: {},
      rules: [{ operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"] }],
    });
    await using _ = await configure("validating", "", everything);
    assert.equal((await map("default")).status, 500);
    const other = await configure("mutating", "default", webhook("/label-a"));
    await other[Symbol.asyncDispose]();
    const gone = await api.call("DELETE", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt");
    assert.equal(gone.status, 500, "somebody's own deletion is held up");
    await send("POST", `${GROUP}/validatingwebhookconfigurations`, {
      metadata: { name: "more" },
      webhooks: [everything],
    });
    await api.restart();
    assert.equal((await map("default")).status, 500);
    assert.equal((await send("DELETE", `${GROUP}/validatingwebhookconfigurations/more`)).status, 200);
  });

  test("configurations that cannot work are refused", async () => {
    const cases: readonly [object, string][] = [
      [{ name: "short" }, "should be a domain with at least three segments separated by dots"],
      [
        { sideEffects: "Some" },
        'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
      ],
      [{ admissionReviewVersions: ["v2"] }, "must include at least one of v1, v1beta1"],
      [{ clientConfig: {} }, "exactly one of url or service is required"],
      [{ clientConfig: { url: "http://x" } }, "'https' is the only allowed URL scheme"],
      [{ timeoutSeconds: 31 }, "the timeout value must be between 1 and 30 seconds"],
      [
        { rules: [{ operations: ["X"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }] },
        'rules[0].operations[0]: Unsupported value: "X"',
      ],
    ];
    for (const [more, words] of cases) {
      const body = { metadata: { name: "wrong" }, webhooks: [webhook("/allow", more)] };
      const answer = await send("POST", `${GROUP}/validatingwebhookconfigurations`, body);
      assert.deepEqual([answer.status, answer.json["message"]?.includes(words)], [422, true], answer.text);
    }
  });
});
