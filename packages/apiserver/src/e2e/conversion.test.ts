import assert from "node:assert/strict";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { type Answer, type ApiUnderTest, type Loose, startApi } from "../testing/api-under-test.ts";
import { startWebhook, type WebhookUnderTest } from "../testing/webhook-under-test.ts";

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const APPLY = { "content-type": "application/apply-patch+yaml" };
const MERGE = { "content-type": "application/merge-patch+json" };

const text = { type: "string" };
const FIELDS: Readonly<Record<string, object>> = {
  v1: { host: text, replicas: { type: "integer" }, zone: { type: "string", default: "a" } },
  v2: { name: text, port: text, replicas: { type: "integer" }, zone: text },
};

const version = (name: string, storage: boolean, fields: object = FIELDS[name] ?? {}) => ({
  name,
  served: true,
  storage,
  subresources: { status: {}, scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" } },
  selectableFields: Object.keys(fields)
    .filter((one) => one === "host" || one === "name")
    .map((one) => ({ jsonPath: `.spec.${one}` })),
  schema: {
    openAPIV3Schema: {
      type: "object",
      properties: {
        spec: { type: "object", properties: fields },
        status: { type: "object", properties: { replicas: { type: "integer" } } },
      },
    },
  },
});

describe("kinds of several versions", () => {
  let api: ApiUnderTest;
  let hook: WebhookUnderTest;
  let count = 0;
  const send = (method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Answer> =>
    api.call(method, path, { body, ...(headers === undefined ? {} : { headers }) });
  const webhook = (path: string, clientConfig: object = { url: `https://localhost:${hook.port}${path}` }) => ({
    strategy: "Webhook",
    webhook: { clientConfig: { caBundle: hook.caBundle, ...clientConfig }, conversionReviewVersions: ["v1"] },
  });
  /** A definition of `v1`, which has a host, and `v2`, which is kept and has a name and a port. */
  const define = async (conversion: object, versions = [version("v1", false), version("v2", true)]) => {
    const group = `g${count++}.example.com`;
    const names = { plural: "sites", singular: "site", kind: "Site", listKind: "SiteList" };
    const crd = {
      metadata: { name: `sites.${group}` },
      spec: { group, scope: "Namespaced", names, versions, conversion },
    };
    const made = await send("POST", CRDS, crd);
    assert.equal(made.status, 201, made.text);
    await established(`${CRDS}/sites.${group}`);
    const at = (one: string, name = "") =>
      `/apis/${group}/${one}/namespaces/default/sites${name === "" ? "" : `/${name}`}`;
    return { at, group, path: `${CRDS}/sites.${group}`, v1: `${group}/v1`, v2: `${group}/v2` };
  };
  /** It serves at once; its status comes after. */
  const established = async (path: string): Promise<void> => {
    const query = `?watch=true&fieldSelector=metadata.name%3D${path.slice(CRDS.length + 1)}`;
    for await (const { object } of eventsOf(`${CRDS}${query}`)) if (object.status?.conditions?.length === 2) return;
  };
  /** Events of a watch; it ends with the loop. */
  async function* eventsOf(path: string): AsyncGenerator<Loose> {
    const response = await api.stream(path);
    try {
      for await (const line of createInterface({ input: response })) yield JSON.parse(line);
    } finally {
      response.destroy();
      if (!response.closed) await once(response, "close");
    }
  }
  const first = async (path: string, wanted: number): Promise<Loose[]> => {
    const found: Loose[] = [];
    for await (const event of eventsOf(path)) if (found.push(event) === wanted) break;
    return found;
  };
  before(async () => {
    [api, hook] = await Promise.all([startApi(), startWebhook()]);
  });
  after(async () => {
    await api?.[Symbol.asyncDispose]();
    await hook?.[Symbol.asyncDispose]();
  });

  test("are shown in each, made by a webhook, whichever they were written in", async () => {
    const { at, v1, v2, path } = await define(webhook("/convert"));
    const made = await send("POST", at("v1"), { metadata: { name: "a", labels: { x: "1" } }, spec: { host: "h:1" } });
    assert.deepEqual([made.status, made.json.apiVersion, made.json.spec], [201, v1, { host: "h:1", zone: "a" }]);
    const asked = hook.received.at(0)?.review;
    assert.deepEqual(
      [asked.apiVersion, asked.kind, asked.request.desiredAPIVersion, asked.request.objects.length],
      ["apiextensions.k8s.io/v1", "ConversionReview", v2, 1],
    );
    assert.deepEqual((await send("GET", at("v2", "a"))).json.spec, { name: "h", port: "1", zone: "a" });
    await send("POST", at("v2"), { metadata: { name: "b" }, spec: { name: "i", port: "2", garbage: 1 } });
    const list = (await send("GET", at("v1"))).json;
    assert.deepEqual(
      list.items.map((one: Loose) => [one.apiVersion, one.spec.host]),
      [
        [v1, "h:1"],
        [v1, "i:2"],
      ],
    );
    const asks = hook.received.length;
    await send("GET", at("v1"));
    assert.equal(hook.received.length, asks, "what was made once is not asked for again");
    const selected = await send("GET", `${at("v1")}?fieldSelector=spec.host%3Di:2`);
    assert.deepEqual(
      selected.json.items.map((one: Loose) => one.metadata.name),
      ["b"],
    );
    const patched = await send("PATCH", at("v1", "b"), { spec: { host: "i:3" } }, MERGE);
    assert.deepEqual([patched.status, patched.json.spec.host], [200, "i:3"], patched.text);
    assert.deepEqual((await send("GET", at("v2", "b"))).json.spec, { name: "i", port: "3", zone: "a" });
    const scaled = await send("PUT", `${at("v1", "b")}/scale`, {
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: { name: "b" },
      spec: { replicas: 4 },
    });
    assert.deepEqual([scaled.status, scaled.json.spec], [200, { replicas: 4 }], scaled.text);
    const table = { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" };
    assert.equal((await send("GET", at("v1"), undefined, table)).json.rows.length, 2);
    assert.deepEqual((await send("GET", path)).json.status.storedVersions, ["v2"]);
    assert.equal((await send("DELETE", at("v1", "b"))).status, 200);
    assert.equal((await send("GET", at("v2", "b"))).status, 404);
  });

  test("watches see their own version, in order", async () => {
    const { at } = await define(webhook("/convert"));
    await send("POST", at("v2"), { metadata: { name: "a" }, spec: { name: "h", port: "0" } });
    const watching = (["v1", "v2"] as const).map((one) => first(`${at(one)}?watch=true`, 6));
    const newest = first(`${at("v1")}?watch=true&resourceVersion=1`, 6);
    for (const port of ["1", "2", "3"]) await send("PATCH", at("v2", "a"), { spec: { port } }, MERGE);
    await send("PATCH", at("v1", "a"), { spec: { host: "z:9" } }, MERGE);
    await send("DELETE", at("v2", "a"));
    const [old = [], fresh = []] = await Promise.all(watching);
    assert.deepEqual(
      [old, fresh].map((all) => all.map(({ type }) => type)),
      Array.from({ length: 2 }, () => ["ADDED", "MODIFIED", "MODIFIED", "MODIFIED", "MODIFIED", "DELETED"]),
    );
    assert.deepEqual(
      old.map(({ object }) => object.spec.host),
      ["h:0", "h:1", "h:2", "h:3", "z:9", "z:9"],
    );
    assert.deepEqual(
      (await newest).map(({ object }) => object.spec.host),
      ["h:0", "h:1", "h:2", "h:3", "z:9", "z:9"],
    );
    assert.deepEqual(fresh.at(-1)?.object.spec, { name: "z", port: "9", zone: "a" });
  });

  test("fields have managers in every version", async () => {
    const { at, v1, v2 } = await define(webhook("/convert"));
    const apply = (one: string, manager: string, spec: object, more = "") =>
      send(
        "PATCH",
        `${at(one, "a")}?fieldManager=${manager}${more}`,
        { apiVersion: one === "v1" ? v1 : v2, kind: "Site", metadata: { name: "a" }, spec },
        APPLY,
      );
    assert.equal((await apply("v1", "old", { host: "h:1" })).status, 201);
    const other = await apply("v2", "new", { replicas: 2 });
    assert.deepEqual([other.status, other.json.spec], [200, { name: "h", port: "1", zone: "a", replicas: 2 }]);
    assert.deepEqual(other.json.metadata.managedFields.map((one: Loose) => [one.manager, one.apiVersion]).toSorted(), [
      ["new", v2],
      ["old", v1],
    ]);
    const refused = await apply("v2", "new", { replicas: 2, port: "7" });
    assert.deepEqual([refused.status, refused.json.reason], [409, "Conflict"], refused.text);
    assert.match(refused.json.message, /conflict with "old": \.spec\.host/);
    const forced = await apply("v2", "new", { replicas: 2, port: "7" }, "&force=true");
    assert.equal(forced.json.spec.port, "7", forced.text);
    const left = forced.json.metadata.managedFields.find((one: Loose) => one.manager === "old");
    assert.equal(JSON.stringify(left?.fieldsV1 ?? {}).includes("f:host"), false, "the field is no longer its own");
    const later = await apply("v1", "new", { replicas: 2 });
    assert.deepEqual(
      later.json.metadata.managedFields
        .filter((one: Loose) => one.manager === "new")
        .map((one: Loose) => one.apiVersion),
      [v1],
      "an applier is the same in every version",
    );
  });

  test("the version that is kept can be changed, and the old one taken away when nothing is left in it", async () => {
    const { at, path } = await define(webhook("/convert"));
    await send("POST", at("v1"), { metadata: { name: "a" }, spec: { host: "h:1" } });
    const versions = [version("v1", true), version("v2", false)];
    assert.equal((await send("PATCH", path, { spec: { versions } }, MERGE)).status, 200);
    for await (const { object } of eventsOf(`${CRDS}?watch=true`))
      if (object.metadata.name === path.slice(CRDS.length + 1) && object.status.storedVersions.length === 2) break;
    const only = { spec: { versions: [version("v1", true)], conversion: { strategy: "None", webhook: null } } };
    const early = await send("PATCH", path, only, MERGE);
    assert.deepEqual([early.status, early.json.reason], [422, "Invalid"]);
    assert.match(
      early.json.message,
      /status\.storedVersions\[0\]: Invalid value: "v2": missing from spec\.versions; v2/,
    );
    const old = (await send("GET", at("v1", "a"))).json;
    const moved = await send("PUT", at("v1", "a"), old);
    assert.notEqual(moved.json.metadata.resourceVersion, old.metadata.resourceVersion, "it is written in the new one");
    assert.deepEqual(moved.json.spec, { host: "h:1", zone: "a" });
    const again = await send("PUT", at("v1", "a"), moved.json);
    assert.equal(again.json.metadata.resourceVersion, moved.json.metadata.resourceVersion);
    assert.equal((await send("PATCH", `${path}/status`, { status: { storedVersions: ["v1"] } }, MERGE)).status, 200);
    const done = await send("PATCH", path, only, MERGE);
    assert.equal(done.status, 200, done.text);
    assert.equal((await send("GET", at("v1", "a"))).json.spec.host, "h:1");
    assert.equal((await send("GET", at("v2", "a"))).status, 404);
  });

  test("what cannot be converted is told in upstream's words, and nothing is written", async () => {
    const cases: readonly [string, RegExp, object?][] = [
      ["/convert-badly", /failed: cannot$/],
      ["/convert-nothing", /returned 0 objects, expected 1$/],
      ["/convert-uid", /returned invalid object: must have the same UID: .* != other$/],
      [
        "/convert-other-version",
        /returned invalid object at index 0: invalid groupVersion \(expected .*\/v1, received example\.com\/v9\)$/,
      ],
      ["/convert-for-others", /failed: expected response\.uid=".*", got "x"$/],
      [
        "/gone",
        /failed: Post "https:\/\/127\.0\.0\.1:1\/\?timeout=30s": .*ECONNREFUSED/,
        { url: "https://127.0.0.1:1/" },
      ],
      ["/service", /failed: .*service "none" not found$/, { service: { name: "none", namespace: "default" } }],
      [
        "/foreign",
        /failed: Post .*certificate/,
        { caBundle: Buffer.from(api.certificates.authority).toString("base64") },
      ],
    ];
    for (const [way, words, config] of cases) {
      const url = { url: `https://localhost:${hook.port}${way}` };
      const { at, group, path } = await define(
        webhook(way, way === "/foreign" ? { ...url, ...config } : (config ?? url)),
      );
      await send("POST", at("v2"), { metadata: { name: "a" }, spec: { name: "h", port: "1" } });
      const start = new RegExp(`^conversion webhook for ${group}/v2, Kind=Site `);
      const answers = await Promise.all([
        send("GET", at("v1", "a")),
        send("GET", at("v1")),
        send("PATCH", at("v1", "a"), { spec: { host: "z:1" } }, MERGE),
        send("PUT", at("v1", "a"), { metadata: { name: "a" }, spec: { host: "z:1" } }),
        send("DELETE", at("v1", "a")),
        send("GET", `${at("v1", "a")}/scale`),
      ]);
      for (const { status, json } of answers) {
        assert.deepEqual([status, json.reason], [500, undefined], way);
        assert.match(json.message, start);
        assert.match(json.message, words);
      }
      const [event] = await first(`${at("v1")}?watch=true`, 1);
      assert.deepEqual([event.type, event.object.code], ["ERROR", 500]);
      assert.equal((await send("POST", at("v1"), { metadata: { name: "b" }, spec: { host: "h:1" } })).status, 500);
      assert.deepEqual((await send("GET", at("v2"))).json.items.length, 1, "the other version is not concerned");
      assert.equal((await send("DELETE", path)).status, 200, "what is to go need not be converted");
    }
  });

  test("a namespace goes although nobody can convert what is in it", async () => {
    const { group } = await define(webhook("/gone", { url: "https://127.0.0.1:1/" }));
    await send("POST", "/api/v1/namespaces", { metadata: { name: "going" } });
    const made = await send("POST", `/apis/${group}/v2/namespaces/going/sites`, { metadata: { name: "a" } });
    assert.equal(made.status, 201, made.text);
    assert.equal((await send("DELETE", "/api/v1/namespaces/going")).status, 200);
    for await (const { type } of eventsOf(
      "/api/v1/namespaces?watch=true&fieldSelector=metadata.name%3Dgoing&resourceVersion=1",
    ))
      if (type === "DELETED") break;
  });

  test("a service converts where its endpoints are", async () => {
    const core = "/api/v1/namespaces/default";
    await send("POST", `${core}/services`, { metadata: { name: "hook" }, spec: { ports: [{ port: 443, name: "s" }] } });
    await api.keepSlice({
      metadata: { name: "hook-1", labels: { "kubernetes.io/service-name": "hook" } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
      ports: [{ name: "s", port: hook.port }],
    });
    const { at } = await define(webhook("", { service: { name: "hook", namespace: "default", path: "/convert" } }));
    await send("POST", at("v1"), { metadata: { name: "a" }, spec: { host: "h:1" } });
    assert.equal((await send("GET", at("v2", "a"))).json.spec.name, "h");
    assert.deepEqual(
      [hook.received.at(-1)?.host, hook.received.at(-1)?.url],
      ["hook.default.svc", "/convert?timeout=30s"],
    );
  });

  test("without a webhook, versions differ in what their schemas know", async () => {
    const { at, path } = await define({ strategy: "None" });
    await send("POST", at("v2"), { metadata: { name: "a" }, spec: { name: "h", port: "1", zone: "b" } });
    assert.deepEqual((await send("GET", at("v1", "a"))).json.spec, { zone: "b" });
    await send("PATCH", at("v1", "a"), { spec: { zone: "c" } }, MERGE);
    assert.deepEqual((await send("GET", at("v2", "a"))).json.spec, { zone: "c" }, "who writes writes all of it");
    const fields = { ...FIELDS["v2"], color: { type: "string", default: "red" } };
    const versions = [version("v1", false), version("v2", true, fields)];
    assert.equal((await send("PATCH", path, { spec: { versions } }, MERGE)).status, 200);
    const shown = async (): Promise<boolean> => (await send("GET", at("v2", "a"))).json.spec.color === "red";
    for (let tries = 0; tries < 200 && !(await shown()); tries++);
    assert.deepEqual(
      (await send("GET", at("v2"))).json.items[0].spec,
      { zone: "c", color: "red" },
      "defaults are shown of old objects",
    );
  });

  test("definitions whose conversion cannot work are refused", async () => {
    const config = { url: "https://x/convert" };
    const cases: readonly [object, string][] = [
      [
        { strategy: "Webhook" },
        "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
      ],
      [
        { strategy: "Other" },
        'spec.conversion.strategy: Unsupported value: "Other": supported values: "None", "Webhook"',
      ],
      [
        { strategy: "Webhook", webhook: { clientConfig: {}, conversionReviewVersions: ["v1"] } },
        "exactly one of url or service is required",
      ],
      [
        { strategy: "Webhook", webhook: { clientConfig: config, conversionReviewVersions: ["v7"] } },
        'spec.conversion.conversionReviewVersions: Invalid value: ["v7"]: must include at least one of v1, v1beta1',
      ],
      [
        { strategy: "None", webhook: { clientConfig: config, conversionReviewVersions: ["v1"] } },
        "spec.conversion.webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook",
      ],
    ];
    const names = { plural: "wrongs", singular: "wrong", kind: "Wrong", listKind: "WrongList" };
    for (const [conversion, words] of cases) {
      const spec = { group: "example.com", scope: "Namespaced", names, versions: [version("v1", true)], conversion };
      const answer = await send("POST", CRDS, { metadata: { name: "wrongs.example.com" }, spec });
      assert.deepEqual([answer.status, answer.json.message?.includes(words)], [422, true], answer.text);
    }
  });

  test("events are one kind in two groups", async () => {
    const old = {
      metadata: { name: "e1" },
      involvedObject: { kind: "Pod", namespace: "default", name: "p" },
      reason: "Started",
      message: "it runs",
      type: "Normal",
      source: { component: "kubelet" },
      count: 2,
    };
    assert.equal((await send("POST", "/api/v1/namespaces/default/events", old)).status, 201);
    const events = "/apis/events.k8s.io/v1/namespaces/default/events";
    const seen = (await send("GET", `${events}/e1`)).json;
    assert.deepEqual(
      [seen.apiVersion, seen.regarding.name, seen.note, seen.deprecatedCount, seen.deprecatedSource, seen.eventTime],
      ["events.k8s.io/v1", "p", "it runs", 2, { component: "kubelet" }, null],
    );
    const eventTime = "2026-01-02T03:04:05.000006Z";
    const made = await send("POST", events, {
      metadata: { name: "e2" },
      eventTime,
      regarding: { kind: "Pod", namespace: "default", name: "q" },
      reason: "Bound",
      action: "Binding",
      note: "here",
      type: "Normal",
      reportingController: "example.com/scheduler",
      reportingInstance: "s-1",
    });
    assert.equal(made.status, 201, made.text);
    const core = (await send("GET", "/api/v1/namespaces/default/events/e2")).json;
    assert.deepEqual(
      [core.apiVersion, core.involvedObject.name, core.message, core.reportingComponent, core.eventTime],
      ["v1", "q", "here", "example.com/scheduler", eventTime],
    );
    const found = await send("GET", `${events}?fieldSelector=regarding.name%3Dq`);
    assert.deepEqual(
      found.json.items.map((one: Loose) => one.metadata.name),
      ["e2"],
    );
    const table = await send("GET", events, undefined, { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" });
    assert.deepEqual(
      table.json.rows.map((row: Loose) => row.cells.slice(1, 4)),
      [
        ["Normal", "Started", "pod/p"],
        ["Normal", "Bound", "pod/q"],
      ],
    );
    const bare = await send("POST", events, {
      metadata: { name: "e3" },
      regarding: { namespace: "default" },
      type: "Odd",
    });
    assert.deepEqual([bare.status, bare.json.message.includes("eventTime: Required value")], [422, true], bare.text);
    assert.match(bare.json.message, /type: Invalid value: "": has invalid value: Odd/);
  });

  test("autoscaling/v1 keeps in annotations what it has no fields for", async () => {
    const path = (one: string, name = "") =>
      `/apis/autoscaling/${one}/namespaces/default/horizontalpodautoscalers/${name}`;
    const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
    const cpu = {
      type: "Resource",
      resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 60 } },
    };
    const made = await send("POST", path("v1").slice(0, -1), {
      metadata: { name: "old" },
      spec: { scaleTargetRef, maxReplicas: 3, targetCPUUtilizationPercentage: 60 },
    });
    assert.deepEqual([made.status, made.json.spec.minReplicas], [201, 1], made.text);
    assert.deepEqual((await send("GET", path("v2", "old"))).json.spec.metrics, [cpu]);
    const metrics = [
      cpu,
      { type: "Pods", pods: { metric: { name: "requests" }, target: { type: "AverageValue", averageValue: "10" } } },
      {
        type: "External",
        external: {
          metric: { name: "queue", selector: { matchLabels: { q: "a" } } },
          target: { type: "Value", value: "30" },
        },
      },
    ];
    const behavior = {
      scaleDown: { stabilizationWindowSeconds: 60, policies: [{ type: "Pods", value: 4, periodSeconds: 30 }] },
    };
    const full = await send("POST", path("v2").slice(0, -1), {
      metadata: { name: "new", annotations: { own: "kept" } },
      spec: { scaleTargetRef, maxReplicas: 3, metrics, behavior },
    });
    assert.equal(full.status, 201, full.text);
    const seen = (await send("GET", path("v1", "new"))).json;
    assert.equal(seen.spec.targetCPUUtilizationPercentage, 60);
    const { own, ...ours } = seen.metadata.annotations;
    assert.equal(own, "kept");
    assert.deepEqual(
      [JSON.parse(ours["autoscaling.alpha.kubernetes.io/metrics"]), Object.keys(ours).length],
      [
        [
          { type: "Pods", pods: { metricName: "requests", targetAverageValue: "10" } },
          {
            type: "External",
            external: { metricName: "queue", metricSelector: { matchLabels: { q: "a" } }, targetValue: "30" },
          },
        ],
        2,
      ],
    );
    const written = await send("PUT", path("v1", "new"), { ...seen, spec: { ...seen.spec, maxReplicas: 5 } });
    assert.equal(written.status, 200, written.text);
    const back = (await send("GET", path("v2", "new"))).json;
    assert.deepEqual([back.spec.maxReplicas, back.metadata.annotations], [5, { own: "kept" }]);
    assert.deepEqual(
      new Set(back.spec.metrics.map(JSON.stringify)),
      new Set(metrics.map((one) => JSON.stringify(one))),
    );
    assert.deepEqual(back.spec.behavior.scaleDown.policies, behavior.scaleDown.policies);
    const bare = await send("POST", path("v1").slice(0, -1), {
      metadata: { name: "bare" },
      spec: { scaleTargetRef, maxReplicas: 2 },
    });
    assert.equal(bare.json.spec.targetCPUUtilizationPercentage, 80, bare.text);
    const groups = (await send("GET", "/apis")).json.groups;
    assert.equal(groups.find((one: Loose) => one.name === "autoscaling").preferredVersion.version, "v2");
  });

  test("a definition whose converter's certificates cannot be read is not served, and one that is served keeps them", async () => {
    const caBundle = Buffer.from("none").toString("base64");
    const group = `g${count++}.example.com`;
    const spec = {
      group,
      scope: "Namespaced",
      names: { plural: "sites", kind: "Site" },
      versions: [version("v1", true)],
      conversion: webhook("/convert", { url: "https://localhost:1/", caBundle }),
    };
    const path = `${CRDS}/sites.${group}`;
    assert.equal((await send("POST", CRDS, { metadata: { name: `sites.${group}` }, spec })).status, 201);
    const told = async (): Promise<Loose> => {
      for (;;) {
        const { conditions } = (await send("GET", path)).json.status;
        const found = conditions?.find((one: Loose) => one.type === "Established");
        if (found !== undefined) return found;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    assert.deepEqual([(await told()).status, (await told()).reason], ["False", "InvalidCABundle"]);
    assert.equal((await send("GET", `/apis/${group}/v1/sites`)).status, 404);
    const good = await send("PATCH", path, { spec: { conversion: webhook("/convert") } }, MERGE);
    assert.equal(good.status, 200, good.text);
    await established(path);
    const bad = await send("PATCH", path, { spec: { conversion: spec.conversion } }, MERGE);
    assert.match(
      bad.json.message,
      /: spec\.conversion\.webhookClientConfig\.caBundle: Invalid value: \[\]byte\{0x6e, 0x6f, 0x6e, 0x65\}: unable to load root certificates: unable to parse bytes as PEM block$/,
    );
  });

  test("columns show the first value of any path that kubectl can read, up to one that it cannot", async () => {
    const column = (name: string, type: string, jsonPath: string) => ({ name, type, jsonPath });
    const columns = [
      column("First", "string", ".spec.list[*].a"),
      column("Has", "string", ".spec.list[?(@.b)].a"),
      column("Deep", "string", ".spec..b"),
      column("Number", "integer", ".spec.n"),
      column("Other", "integer", ".spec.list[0].a"),
      column("When", "date", ".spec.list[0].a"),
      column("All", "string", ".spec.list"),
      column("Broken", "string", ".spec.list["),
      column("After", "string", ".spec.n"),
    ];
    const item = { type: "object", properties: { a: text, b: text } };
    const fields = { n: { type: "number" }, list: { type: "array", items: item } };
    const { at } = await define({ strategy: "None" }, [
      { ...version("v1", true, fields), additionalPrinterColumns: columns } as ReturnType<typeof version>,
    ]);
    const spec = { n: 1.5, list: [{ a: "x" }, { a: "y", b: "z" }] };
    assert.equal((await send("POST", at("v1"), { metadata: { name: "a" }, spec })).status, 201);
    const table = await send("GET", at("v1"), undefined, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" });
    assert.deepEqual(
      table.json.columnDefinitions.map(({ name }: Loose) => name),
      ["Name", "First", "Has", "Deep", "Number", "Other", "When", "All"],
    );
    assert.deepEqual(table.json.rows[0].cells, ["a", "x", "y", "z", 1, null, "<invalid>", JSON.stringify(spec.list)]);
  });

  test("objects within custom ones have a type and metadata, without what nobody knows", async () => {
    const inner = {
      type: "object",
      "x-kubernetes-embedded-resource": true,
      "x-kubernetes-preserve-unknown-fields": true,
      properties: { metadata: { type: "object", properties: { name: { type: "string", maxLength: 3 } } } },
    };
    const { at } = await define({ strategy: "None" }, [version("v1", true, { inner })]);
    const post = (one: object) => send("POST", at("v1"), { metadata: { generateName: "x-" }, spec: { inner: one } });
    const metadata = { name: "pod", labels: { a: "b" }, own: 1 };
    const made = await post({ apiVersion: "v1", kind: "Pod", metadata, more: 1 });
    assert.deepEqual(made.json.spec?.inner, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "pod", labels: { a: "b" } },
      more: 1,
    });
    assert.match(String(made.headers["warning"]), /unknown field .*spec\.inner\.metadata\.own/);
    const wrong: readonly [object, RegExp][] = [
      [{}, /\[spec\.inner\.apiVersion: Required value, spec\.inner\.kind: Required value\]$/],
      [
        { apiVersion: "a/b/c", kind: "" },
        /apiVersion: Invalid value: "a\/b\/c": unexpected GroupVersion string: a\/b\/c, .*kind: Invalid value: "": must not be empty/,
      ],
      [
        { apiVersion: "v1", kind: "A_b" },
        /spec\.inner\.kind: Invalid value: "A_b": may have mixed case, but should otherwise match: /,
      ],
      [
        { apiVersion: "v1", kind: "Pod", metadata: { labels: { "a b": "c" } } },
        /spec\.inner\.metadata\.labels: Invalid value: "a b": /,
      ],
      [{ apiVersion: "v1", kind: "Pod", metadata: { name: "long" } }, /spec\.inner\.metadata\.name: Too long: /],
      [
        { apiVersion: "v1", kind: "Pod", metadata: { labels: [1] } },
        /spec\.inner\.metadata: Invalid value: .*: json: cannot unmarshal/,
      ],
    ];
    for (const [one, words] of wrong) {
      const answer = await post(one);
      assert.deepEqual([answer.status, words.test(answer.json.message)], [422, true], answer.text);
    }
  });
});
