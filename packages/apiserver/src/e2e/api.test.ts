import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect } from "node:http2";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { load } from "js-yaml";
import { type ApiUnderTest, type CallOptions, type Loose, startApi } from "../testing/api-under-test.ts";

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

describe("the API", () => {
  let api: ApiUnderTest;
  let count = 0;
  const fresh = (): string => `thing-${count++}`;
  const map = (name: string, data: Record<string, string> = {}, more: object = {}) => ({
    metadata: { name, ...more },
    data,
  });
  const call = (method: string, path: string, options?: CallOptions) => api.call(method, path, options);
  before(async () => {
    api = await startApi();
  });
  after(() => api?.[Symbol.asyncDispose]());

  test("updates that name no version are all made, however many want the same object", async () => {
    const name = fresh();
    await call("POST", CONFIG_MAPS, { body: map(name) });
    const writer = async (writing: number): Promise<void> => {
      for (let index = 0; index < 40; index++) {
        const done = await call("PUT", `${CONFIG_MAPS}/${name}`, { body: map(name, { by: `${writing} ${index}` }) });
        assert.equal(done.status, 200, done.text);
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, writing) => writer(writing)));
  });

  test("objects are created, read, changed and deleted", async () => {
    const name = fresh();
    const made = await call("POST", CONFIG_MAPS, { body: map(name, { a: "1" }) });
    assert.equal(made.status, 201);
    assert.equal((await call("POST", CONFIG_MAPS, { body: map(name) })).json["reason"], "AlreadyExists");
    const path = `${CONFIG_MAPS}/${name}`;
    const changed = await call("PUT", path, { body: { ...made.json, data: { a: "2" } } });
    assert.equal(changed.json["data"]["a"], "2");
    const late = await call("PUT", path, { body: { ...made.json, data: { a: "3" } } });
    assert.deepEqual([late.status, late.json["reason"]], [409, "Conflict"]);
    const same = await call("PUT", path, { body: changed.json });
    assert.equal(
      same.json["metadata"]["resourceVersion"],
      changed.json["metadata"]["resourceVersion"],
      "nothing changed",
    );
    const wrong = await call("DELETE", path, { body: { preconditions: { uid: "x" } } });
    assert.equal(wrong.status, 409, wrong.text);
    assert.equal((await call("DELETE", path)).json["status"], "Success");
    assert.equal((await call("GET", path)).json["message"], `configmaps "${name}" not found`);
  });

  test("an update names its version where the kind wants it, and makes what is not there where it may", async () => {
    const name = fresh();
    const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    const lease = { metadata: { name }, spec: { holderIdentity: "me" } };
    const made = await call("PUT", `${leases}/${name}`, { body: lease });
    assert.equal(made.status, 201, made.text);
    const nameless = await call("PUT", `${leases}/${name}`, { body: lease });
    assert.equal(nameless.status, 422);
    assert.equal(
      nameless.json["message"],
      `leases.coordination.k8s.io "${name}" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update`,
    );
    assert.equal((await call("PUT", `${leases}/${name}`, { body: { ...made.json, spec: {} } })).status, 200);
    assert.equal((await call("PUT", `${CONFIG_MAPS}/${fresh()}`, { body: {} })).status, 404);
    const limits = { spec: { limits: [] } };
    const dry = await call("PUT", `/api/v1/namespaces/default/limitranges/${fresh()}?dryRun=All`, { body: limits });
    assert.deepEqual([dry.status, dry.json["spec"]], [201, limits.spec]);
  });

  test("what Go writes though it is empty is in answers", async () => {
    const event = { metadata: { name: fresh() }, involvedObject: { namespace: "default" }, reason: "Told" };
    const made = await call("POST", "/api/v1/namespaces/default/events", { body: event });
    const { metadata, ...rest } = (await call("GET", `/api/v1/namespaces/default/events/${event.metadata.name}`)).json;
    assert.deepEqual(made.json, { metadata, ...rest });
    assert.deepEqual(rest, {
      apiVersion: "v1",
      kind: "Event",
      involvedObject: { namespace: "default" },
      reason: "Told",
      eventTime: null,
      firstTimestamp: null,
      lastTimestamp: null,
      reportingComponent: "",
      reportingInstance: "",
      source: {},
    });
    const newer = `/apis/events.k8s.io/v1/namespaces/default/events/${event.metadata.name}`;
    const { metadata: _, ...converted } = (await call("GET", newer)).json;
    assert.deepEqual(converted, {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      regarding: { namespace: "default" },
      reason: "Told",
      eventTime: null,
      deprecatedFirstTimestamp: null,
      deprecatedLastTimestamp: null,
      deprecatedSource: {},
    });
  });

  test("what is wrong is said in upstream's words", async () => {
    const cases: readonly [method: string, path: string, body: unknown, code: number, message: RegExp][] = [
      [
        "POST",
        CONFIG_MAPS,
        map("Upper"),
        422,
        /^ConfigMap "Upper" is invalid: metadata.name: Invalid value: "Upper": a lowercase RFC 1123 subdomain/,
      ],
      [
        "POST",
        CONFIG_MAPS,
        { data: { a: 1 }, metadata: { name: "x" } },
        400,
        /^ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string$/,
      ],
      [
        "POST",
        `${CONFIG_MAPS}?fieldValidation=Strict`,
        { ...map("x"), dta: {} },
        400,
        /strict decoding error: unknown field "dta"$/,
      ],
      [
        "POST",
        `${CONFIG_MAPS}?fieldValidation=Strict`,
        '{"metadata":{"name":"x"},"data":{"a":"1","a":"2"}}',
        400,
        /duplicate field "data.a"$/,
      ],
      [
        "POST",
        "/api/v1/nodes",
        { metadata: { name: "n" }, status: { allocatable: { cpu: "many" } } },
        400,
        /^Node in version "v1" cannot be handled as a Node: quantities must match the regular expression '/,
      ],
      [
        "POST",
        "/api/v1/namespaces/default/secrets",
        { metadata: { name: "s" }, data: { a: "YW%j" } },
        400,
        /^Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 2$/,
      ],
      ["POST", CONFIG_MAPS, "{", 400, /json/],
      ["POST", CONFIG_MAPS, `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`, 400, /max depth/],
      ["POST", CONFIG_MAPS, { kind: "Secret" }, 400, /cannot be handled as a ConfigMap/],
      ["POST", "/api/v1/namespaces/nowhere/configmaps", map("x"), 404, /^namespaces "nowhere" not found$/],
      [
        "POST",
        `${CONFIG_MAPS}?dryRun=Some`,
        map("x"),
        422,
        /dryRun: Unsupported value: \["Some"\]: supported values: "All"$/,
      ],
      [
        "POST",
        `${CONFIG_MAPS}?fieldValidation=Some&fieldManager=${"a".repeat(129)}`,
        map("x"),
        422,
        /fieldManager: Too long: may not be more than 128 bytes, fieldValidation: .* values: "", "Ignore", "Strict", "Warn"\]$/,
      ],
      ["DELETE", `${CONFIG_MAPS}/x?propagationPolicy=Orphan&orphanDependents=false`, undefined, 422, /both set$/],
      ["DELETE", `${CONFIG_MAPS}/x`, { propagationPolicy: "" }, 422, /"Foreground", "Background", "Orphan", "nil"$/],
      ["GET", `${CONFIG_MAPS}?labelSelector=a%20in`, undefined, 400, /unable to parse/],
      [
        "GET",
        `${CONFIG_MAPS}?labelSelector=${"a".repeat(64)}`,
        undefined,
        400,
        /^unable to parse requirement: <nil>: Invalid value: "a{64}": name part must be no more than 63/,
      ],
      [
        "GET",
        `${CONFIG_MAPS}?labelSelector=a!%3D-`,
        undefined,
        400,
        /^unable to parse requirement: values\[0\]\[a\]: Invalid value: "-": a valid label must be/,
      ],
      ["GET", `${CONFIG_MAPS}?limit=x`, undefined, 400, /^strconv.ParseInt: parsing "x": invalid syntax$/],
      ["GET", `${CONFIG_MAPS}?limit=9${"0".repeat(30)}`, undefined, 400, /: value out of range$/],
      ["GET", `${CONFIG_MAPS}?fieldSelector=data.a=b`, undefined, 400, /^"data.a" is not a known field selector: only/],
      [
        "GET",
        `${CONFIG_MAPS}?resourceVersionMatch=Exact`,
        undefined,
        422,
        /forbidden unless resourceVersion is provided/,
      ],
      ["GET", `${CONFIG_MAPS}?continue=x`, undefined, 400, /continue key is not valid/],
      ["PATCH", `${CONFIG_MAPS}/x`, {}, 415, /accepted media types include/],
      ["PUT", CONFIG_MAPS, {}, 405, /does not allow this method/],
      ["GET", "/apis/nothing.example/v1/things", undefined, 404, /could not find the requested resource/],
      ["DELETE", "/api/v1/namespaces/default", undefined, 403, /this namespace may not be deleted/],
      [
        "POST",
        "/apis/apps/v1/namespaces/default/deployments",
        {
          metadata: { name: "x" },
          spec: {
            selector: { matchLabels: { a: "b" } },
            template: { metadata: { labels: { a: "c" } }, spec: { containers: [{ name: "x" }] } },
          },
        },
        422,
        /`selector` does not match template `labels`, spec.template.spec.containers\[0\].image: Required value\]$/,
      ],
    ];
    for (const [method, path, body, code, message] of cases) {
      const answer = await call(method, path, { body });
      assert.equal(answer.status, code, `${method} ${path}: ${answer.text}`);
      assert.match(answer.json["message"], message);
      assert.deepEqual([answer.json["kind"], answer.json["code"]], ["Status", code]);
    }
  });

  test("what is sent through the server may take longer than five minutes, heads may not", () => {
    const { requestTimeout, headersTimeout } = api.server().server as Loose;
    assert.deepEqual([requestTimeout, headersTimeout], [0, 60_000]);
  });

  test("nothing is at paths with empty parts", async () => {
    for (const path of ["//api/v1/secrets", "/api//v1/secrets", "/api/v1//secrets", "//version", "/apis//apps/v1"])
      assert.equal((await call("GET", path)).status, 404, path);
  });

  test("selectors may be long, and a label that is null is empty", async () => {
    const name = fresh();
    const labels = { a: null, [name]: "x" };
    const made = await call("POST", CONFIG_MAPS, { body: { metadata: { name, labels }, data: { b: null } } });
    assert.deepEqual([made.json.metadata?.labels, made.json.data], [{ a: "", [name]: "x" }, { b: "" }], made.text);
    const unseen = await call("POST", `${CONFIG_MAPS}?fieldManager=a%00`, { body: map(fresh()) });
    assert.deepEqual([unseen.status, /invalid character U\+0000 \(at position 1\)/.test(unseen.text)], [422, true]);
    const selector = Array.from({ length: 10_000 }, () => `${name}=x`).join(",");
    const { items } = (await call("GET", `${CONFIG_MAPS}?labelSelector=${encodeURIComponent(selector)}`)).json;
    assert.deepEqual(
      items.map((one: Loose) => one.metadata.name),
      [name],
    );
  });

  test("bodies of three megabytes and more, and of unknown types, are refused", async () => {
    assert.equal((await call("POST", CONFIG_MAPS, { body: map(fresh(), { a: "x".repeat(3.2e6) }) })).status, 413);
    for (const type of ["application/cbor", "application/apply-patch+cbor", "text/plain", "a/json"]) {
      const refused = await call("POST", CONFIG_MAPS, { body: map(fresh()), headers: { "content-type": type } });
      assert.equal(refused.status, 415, type);
    }
    const protobuf = { "content-type": "application/vnd.kubernetes.protobuf" };
    assert.equal((await call("POST", CONFIG_MAPS, { body: "k8s\0\xff\xff", headers: protobuf })).status, 400);
    assert.equal((await call("GET", CONFIG_MAPS, { headers: { accept: "application/cbor" } })).status, 406);
    const bomb = `a: &a [x,x,x,x,x,x,x,x]\n${"bcdefgh"
      .split("")
      .map((one, at) => `${one}: &${one} [${Array(8).fill(`*${"abcdefg"[at]}`).join()}]`)
      .join("\n")}\n`;
    const yaml = await call("POST", CONFIG_MAPS, { body: bomb, headers: { "content-type": "application/yaml" } });
    assert.deepEqual([yaml.status, /excessive aliasing/.test(yaml.json["message"])], [400, true]);
  });

  test("large objects are written in every way, and what neither store would take is refused", async () => {
    const name = fresh();
    const path = `${CONFIG_MAPS}/${name}`;
    const data = Object.fromEntries(Array.from({ length: 4000 }, (_, at) => [`key-${at}`, "x".repeat(50)]));
    const yaml = `metadata: { name: ${name} }\ndata:\n${Object.entries(data)
      .map(([key, value]) => `  ${key}: ${value}\n`)
      .join("")}`;
    const headers = { "content-type": "application/yaml" };
    const made = await call("POST", CONFIG_MAPS, { body: yaml, headers });
    assert.deepEqual([made.status, made.json.data], [201, data], made.text.slice(0, 500));
    const broken = await call("POST", CONFIG_MAPS, { body: `${yaml}  - x: [`, headers });
    assert.deepEqual(
      [broken.status, broken.json.message.startsWith("error converting YAML")],
      [400, true],
      broken.text,
    );
    const put = await call("PUT", path, { body: { ...made.json, data: { ...data, "key-1": "other" } } });
    assert.deepEqual([put.status, put.json.data["key-1"]], [200, "other"]);
    const shown = await call("GET", path, { headers: { accept: "application/yaml" } });
    assert.equal(shown.headers["content-type"], "application/yaml");
    assert.deepEqual(load(shown.text), put.json);
    const merge = { "content-type": "application/merge-patch+json" };
    const patched = await call("PATCH", path, { body: { data: { "key-2": null } }, headers: merge });
    assert.deepEqual([patched.status, Object.keys(patched.json.data).length], [200, 3999]);
    const applied = await call("PATCH", `${path}?fieldManager=a&force=true`, {
      body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data },
      headers: { "content-type": "application/apply-patch+yaml" },
    });
    assert.deepEqual([applied.status, applied.json.data, applied.json.metadata.managedFields.length], [200, data, 2]);
    const forced = await call("PATCH", `${path}?force=true`, { body: {}, headers: merge });
    assert.match(forced.text, /force: Forbidden: may not be specified for non-apply patch/);
    const odd = await call("GET", `${CONFIG_MAPS}?includeObject=All`, {
      headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
    });
    assert.deepEqual([odd.status, /includeObject: Invalid value: "All": must be/.test(odd.json.message)], [400, true]);
    const binaryData = { a: Buffer.alloc(2 ** 20).toString("base64") };
    const full = await call("PATCH", path, { body: { data: null, binaryData }, headers: merge });
    assert.equal(full.status, 200, full.text.slice(0, 500));
    const refusals: readonly [object, number, RegExp][] = [
      [{ binaryData: { b: "eA==" } }, 422, /is invalid: \[\]: Too long: may not be more than 1048576 bytes$/],
      [{ metadata: { annotations: { a: "x".repeat(200_000) } } }, 413, /the object has 1\d{6} bytes/],
      [{ data: { a: "x" } }, 422, /data\[a\]: Invalid value: "a": duplicate of key present in binaryData/],
      [{ data: { "..a": "x", "..": "y" } }, 422, /must not start with '\.\.', .*must not be '\.\.'/],
    ];
    for (const [body, status, words] of refusals) {
      const answer = await call("PATCH", path, { body, headers: merge });
      assert.deepEqual([answer.status, words.test(answer.json.message)], [status, true], answer.text.slice(0, 500));
    }
    const brackets = await call("POST", CONFIG_MAPS, { body: "[".repeat(1_400_000) });
    assert.deepEqual([brackets.status, /exceeded max depth/.test(brackets.text)], [400, true]);
  });

  test("a patch that copies what it has copied ends before it has filled the memory", async () => {
    const name = fresh();
    assert.equal((await call("POST", CONFIG_MAPS, { body: map(name) })).status, 201);
    const copy = { op: "copy", from: "/l", path: "/l/-" };
    const body = [{ op: "add", path: "/l", value: [1] }, ...Array.from({ length: 40 }, () => copy)];
    const headers = { "content-type": "application/json-patch+json" };
    const answer = await call("PATCH", `${CONFIG_MAPS}/${name}`, { body, headers });
    assert.deepEqual([answer.status, answer.json["reason"]], [413, "RequestEntityTooLarge"], answer.text);
    assert.match(
      answer.json["message"],
      /^Unable to complete the copy, the accumulated size increase of copy is \d+, exceeding/,
    );
  });

  test("lists come in pages of one revision, whatever happens in between", async () => {
    const namespace = fresh();
    await call("POST", "/api/v1/namespaces", { body: { metadata: { name: namespace } } });
    const path = `/api/v1/namespaces/${namespace}/secrets`;
    for (let at = 0; at < 7; at++) {
      await call("POST", path, { body: map(`m-${at}`, {}, { labels: { odd: String(at % 2) } }) });
    }
    const first = (await call("GET", `${path}?limit=3`)).json;
    assert.equal(first["metadata"]["remainingItemCount"], 4);
    await call("DELETE", `${path}/m-4`);
    await call("POST", path, { body: map("m-9") });
    const next = async (token: string) => (await call("GET", `${path}?limit=3&continue=${token}`)).json;
    const second = await next(first["metadata"]["continue"]);
    const third = await next(second["metadata"]["continue"]);
    const names = [first, second, third].flatMap((page) =>
      page["items"].map((item: Loose) => item["metadata"]["name"]),
    );
    assert.deepEqual(names, ["m-0", "m-1", "m-2", "m-3", "m-4", "m-5", "m-6"]);
    assert.equal(third["metadata"]["continue"], undefined);
    assert.equal(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    const chosen = (await call("GET", `${path}?labelSelector=odd%3D1&fieldSelector=metadata.name!%3Dm-3`)).json;
    assert.deepEqual(
      chosen["items"].map((item: Loose) => item["metadata"]["name"]),
      ["m-1", "m-5"],
    );
    const exact = `resourceVersion=${first["metadata"]["resourceVersion"]}&resourceVersionMatch=Exact`;
    assert.equal((await call("GET", `${path}?${exact}`)).json["items"].length, 7);
    assert.equal((await call("DELETE", `${path}?labelSelector=odd`)).status, 200);
    assert.deepEqual(
      (await call("GET", path)).json["items"].map((item: Loose) => item["metadata"]["name"]),
      ["m-9"],
    );
  });

  test("a watch lasts as long as it is asked for, however long that is, or ends at once", async () => {
    const path = `${CONFIG_MAPS}?watch=1&timeoutSeconds=`;
    await call("GET", `${path}-5`);
    const long = await api.stream(`${path}9999999999`);
    await call("POST", CONFIG_MAPS, { body: map("watched-long") });
    let told = "";
    for await (const chunk of long.setEncoding("utf8")) {
      told += String(chunk);
      if (told.includes('"name":"watched-long"')) break;
    }
    assert.ok(told.includes('"name":"watched-long"'), "it was not over before");
  });

  test("a watch tells what happens, once and in order, also from a revision of the past", async () => {
    const [one, other] = [fresh(), fresh()];
    const { resourceVersion } = (await call("GET", CONFIG_MAPS)).json["metadata"] as unknown as {
      resourceVersion: string;
    };
    await call("POST", CONFIG_MAPS, { body: map(one, {}, { labels: { seen: "yes" } }) });
    await call("POST", CONFIG_MAPS, { body: map(other) });
    const label = (name: string, seen: string | null) =>
      call("PATCH", `${CONFIG_MAPS}/${name}`, {
        body: { metadata: { labels: { seen } } },
        headers: { "content-type": "application/merge-patch+json" },
      });
    await label(other, "yes");
    await label(one, null);
    await call("DELETE", `${CONFIG_MAPS}/${other}`);
    const events = async (query: string) =>
      (await call("GET", `${CONFIG_MAPS}?watch=true&timeoutSeconds=1&${query}`)).text
        .split("\n")
        .filter((line) => line !== "")
        .map(
          (line) => JSON.parse(line) as { type: string; object: { metadata: { name?: string; annotations?: object } } },
        );
    const from = `resourceVersion=${resourceVersion}`;
    const [all, chosen, initial] = await Promise.all([
      events(from),
      events(`${from}&labelSelector=seen%3Dyes`),
      events("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"),
    ]);
    const told = (list: typeof all) => list.map(({ type, object }) => `${type} ${object.metadata.name}`);
    assert.deepEqual(told(all), [
      `ADDED ${one}`,
      `ADDED ${other}`,
      `MODIFIED ${other}`,
      `MODIFIED ${one}`,
      `DELETED ${other}`,
    ]);
    assert.deepEqual(told(chosen), [`ADDED ${one}`, `ADDED ${other}`, `DELETED ${one}`, `DELETED ${other}`]);
    assert.ok(told(initial).includes(`ADDED ${one}`));
    assert.deepEqual(initial.at(-1)?.object.metadata.annotations, { "k8s.io/initial-events-end": "true" });
  });

  test("finalizers hold what is deleted, and namespaces go with all that is in them", async () => {
    const name = fresh();
    await call("POST", CONFIG_MAPS, { body: map(name, {}, { finalizers: ["example.com/hold"] }) });
    const path = `${CONFIG_MAPS}/${name}`;
    const marked = (await call("DELETE", path)).json;
    assert.ok(marked["metadata"]["deletionTimestamp"]);
    const merge = { "content-type": "application/merge-patch+json" };
    const added = await call("PATCH", path, {
      body: { metadata: { finalizers: ["example.com/hold", "example.com/b"] } },
      headers: merge,
    });
    assert.equal(added.status, 422);
    await call("PATCH", path, { body: { metadata: { finalizers: null } }, headers: merge });
    assert.equal((await call("GET", path)).status, 404);
  });

  test("a namespace that cannot be emptied says what holds it", async () => {
    const name = fresh();
    await call("POST", "/api/v1/namespaces", { body: { metadata: { name } } });
    const maps = `/api/v1/namespaces/${name}/configmaps`;
    await call("POST", maps, { body: map("held", {}, { finalizers: ["example.com/hold"] }) });
    await call("DELETE", `/api/v1/namespaces/${name}`);
    let conditions: Loose[] = [];
    while (conditions.length === 0) {
      conditions = (await call("GET", `/api/v1/namespaces/${name}`)).json["status"]["conditions"] ?? [];
      await delay(10);
    }
    assert.deepEqual(
      conditions.filter(({ status }) => status === "True").map(({ type, reason, message }) => [type, reason, message]),
      [
        [
          "NamespaceContentRemaining",
          "SomeResourcesRemain",
          "Some resources are remaining: configmaps. has 1 resource instances",
        ],
        [
          "NamespaceFinalizersRemaining",
          "SomeFinalizersRemain",
          "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
        ],
      ],
    );
    const headers = { "content-type": "application/merge-patch+json" };
    await call("PATCH", `${maps}/held`, { body: { metadata: { finalizers: null } }, headers });
    while ((await call("GET", `/api/v1/namespaces/${name}`)).status !== 404) await delay(10);
  });

  test("status and spec are written apart, and generation counts changes of the spec", async () => {
    const name = fresh();
    const path = "/apis/apps/v1/namespaces/default/deployments";
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "x", image: "x" }] } };
    const body = {
      metadata: { name },
      spec: { selector: { matchLabels: { a: "b" } }, template },
      status: { replicas: 9 },
    };
    const made = (await call("POST", path, { body })).json;
    assert.deepEqual([made["metadata"]["generation"], made["status"]], [1, {}]);
    assert.deepEqual(made["spec"]["strategy"], {
      type: "RollingUpdate",
      rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" },
    });
    const status = { ...made, spec: { ...made["spec"], replicas: 5 }, status: { replicas: 3 } };
    const reported = (await call("PUT", `${path}/${name}/status`, { body: status })).json;
    assert.deepEqual(
      [reported["status"]["replicas"], reported["spec"]["replicas"], reported["metadata"]["generation"]],
      [3, 1, 1],
    );
    const scale = (await call("GET", `${path}/${name}/scale`)).json;
    assert.deepEqual(scale["status"], { replicas: 3, selector: "a=b" });
    const scaled = await call("PUT", `${path}/${name}/scale`, { body: { ...scale, spec: { replicas: 4 } } });
    assert.equal(scaled.json["spec"]["replicas"], 4);
    const now = (await call("GET", `${path}/${name}`)).json;
    assert.deepEqual([now["metadata"]["generation"], now["status"]["replicas"]], [2, 3]);
    const labelled = { ...now, metadata: { ...now["metadata"], labels: { more: "" } } };
    const same = (await call("PUT", `${path}/${name}`, { body: labelled })).json["metadata"];
    assert.equal(same["generation"], 2);
    const noted = { ...now, metadata: { ...same, annotations: { more: "" } } };
    const next = (await call("PUT", `${path}/${name}`, { body: noted })).json["metadata"];
    assert.equal(next["generation"], 3, "a deployment's annotations count, too");
  });

  test("names are generated, and dry runs leave nothing", async () => {
    const made = (await call("POST", CONFIG_MAPS, { body: { metadata: { generateName: "gen-" } } })).json;
    assert.match(made["metadata"]["name"], /^gen-[a-z0-9]{5}$/);
    const name = fresh();
    assert.equal((await call("POST", `${CONFIG_MAPS}?dryRun=All`, { body: map(name) })).status, 201);
    assert.equal((await call("GET", `${CONFIG_MAPS}/${name}`)).status, 404);
  });

  test("secrets are sealed on the disk", async () => {
    const name = fresh();
    await call("POST", "/api/v1/namespaces/default/secrets", {
      body: { metadata: { name }, stringData: { a: "very-secret-text" } },
    });
    const found = (await call("GET", `/api/v1/namespaces/default/secrets/${name}`)).json;
    assert.equal(found["data"]["a"], Buffer.from("very-secret-text").toString("base64"));
    const files = await Promise.all(
      ["state.db", "state.db-wal"].map((file) => readFile(api.directory.join(file)).catch(() => Buffer.alloc(0))),
    );
    const disk = Buffer.concat(files);
    assert.ok(disk.includes(name) && !disk.includes(found["data"]["a"]));
  });

  test("who is nobody sees health and version, and nothing else", async () => {
    const anonymous = true;
    for (const path of ["/healthz", "/livez", "/readyz?verbose", "/version"]) {
      assert.equal((await call("GET", path, { anonymous })).status, 200, path);
    }
    for (const path of ["/", "/api", "/apis", "/openapi/v2", "/metrics", CONFIG_MAPS, "/api/v1/nothing"]) {
      const answer = await call("GET", path, { anonymous });
      assert.deepEqual([answer.status, answer.json["reason"]], [403, "Forbidden"], path);
    }
    assert.equal((await call("GET", "/api", { anonymous, headers: { authorization: "Bearer x" } })).status, 401);
    const asOther = await call("GET", CONFIG_MAPS, { headers: { "impersonate-user": "ann" } });
    assert.equal(
      asOther.json["message"],
      'configmaps is forbidden: User "ann" cannot list resource "configmaps" in API group "" in the namespace "default"',
    );
  });

  test("roles and bindings decide, at once when they change", async () => {
    const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    const headers = { "impersonate-user": "eve" };
    assert.equal((await call("GET", CONFIG_MAPS, { headers })).status, 403);
    const subjects = [{ kind: "User", name: "eve" }];
    const roleRef = { kind: "ClusterRole", name: "view" };
    await call("POST", `${rbac}/rolebindings`, { body: { metadata: { name: "eve" }, subjects, roleRef } });
    assert.equal((await call("GET", CONFIG_MAPS, { headers })).status, 200);
    assert.equal((await call("GET", "/api/v1/namespaces/default/secrets", { headers })).status, 403);
    assert.equal((await call("POST", CONFIG_MAPS, { headers, body: map(fresh()) })).status, 403);
    await call("PUT", `${rbac}/rolebindings/eve`, { body: { metadata: { name: "eve" }, subjects, roleRef } });
    await call("POST", `${rbac}/rolebindings`, {
      body: { metadata: { name: "eve-admin" }, subjects, roleRef: { kind: "ClusterRole", name: "admin" } },
    });
    const own = { rules: [{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }], metadata: { name: "mine" } };
    assert.equal((await call("POST", `${rbac}/roles`, { headers, body: own })).status, 201);
    const more = { rules: [{ verbs: ["get"], apiGroups: ["*"], resources: ["*"] }], metadata: { name: "more" } };
    assert.match((await call("POST", `${rbac}/roles`, { headers, body: more })).json["message"], /not currently held$/);
    const all = { metadata: { name: "all" }, subjects, roleRef: { kind: "ClusterRole", name: "cluster-admin" } };
    assert.equal((await call("POST", `${rbac}/rolebindings`, { headers, body: all })).status, 403);
    await call("DELETE", `${rbac}/rolebindings/eve-admin`);
    await call("DELETE", `${rbac}/rolebindings/eve`);
    assert.equal((await call("GET", CONFIG_MAPS, { headers })).status, 403);
  });

  test("discovery has ETags, and documents of both forms agree", async () => {
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    const whole = await call("GET", "/apis", { headers: { accept } });
    const etag = whole.headers["etag"] as string;
    const again = await call("GET", "/apis", { headers: { accept, "if-none-match": etag } });
    assert.deepEqual([again.status, again.text], [304, ""]);
    const apps = whole.json["items"].find((group: Loose) => group["metadata"]["name"] === "apps");
    const names = apps?.["versions"][0]?.["resources"].map((resource: Loose) => resource["resource"]) ?? [];
    const plain = (await call("GET", "/apis/apps/v1")).json["resources"]
      .map((one: Loose) => one["name"])
      .filter((name: string) => !name.includes("/"));
    assert.deepEqual(new Set(names), new Set(plain));
    const open = (await call("GET", "/openapi/v3/apis/apps/v1")).json;
    assert.ok(open["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]);
  });

  test("HTTP/2 is spoken on the same port", async () => {
    const config = JSON.parse(readFileSync(api.kubeconfig, "utf8")) as {
      clusters: [{ cluster: Record<string, string> }];
    };
    const ca = Buffer.from(config.clusters[0].cluster["certificate-authority-data"] ?? "", "base64");
    const session = connect(api.url, { ca });
    try {
      const stream = session.request({ ":path": "/version" });
      let text = "";
      for await (const chunk of stream.setEncoding("utf8") as AsyncIterable<string>) text += chunk;
      assert.equal((JSON.parse(text) as { minor: string }).minor, "36");
    } finally {
      session.close();
    }
  });
});
