import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { decodeProtobuf, encodeProtobuf } from "@boxship/api";
import { kubectl, kubernetesProgram } from "@boxship/testkit";
import { type ApiUnderTest, type Loose, startApi } from "../testing/api-under-test.ts";

const PROTOBUF = "application/vnd.kubernetes.protobuf";
const BOTH = { accept: `${PROTOBUF},application/json` };
const MAPS = "/api/v1/namespaces/default/configmaps";

/** Without what JSON may have or not have. */
function bare(value: Loose): Loose {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([field, item]) => [field, bare(item)] as const);
  return Object.fromEntries(
    entries.filter(([, item]) => item !== null && !(typeof item === "object" && Object.keys(item).length === 0)),
  );
}

describe("protobuf", () => {
  let api: ApiUnderTest;
  before(async () => {
    api = await startApi();
  });
  after(async () => await api?.[Symbol.asyncDispose]());
  const send = (method: string, path: string, body?: object) => api.call(method, path, { body });

  test("objects, lists, metadata and failures are answered in it", async () => {
    const created = await api.call("POST", MAPS, {
      body: { metadata: { name: "a", labels: { x: "1" } }, data: { k: "v" } },
      headers: BOTH,
    });
    assert.deepEqual([created.status, created.headers["content-type"]], [201, PROTOBUF]);
    const one = await api.call("GET", `${MAPS}/a`, { headers: BOTH });
    const plain = (await send("GET", `${MAPS}/a`)).json;
    assert.deepEqual(decodeProtobuf("core.v1.ConfigMap", one.bytes), plain);
    const list = await api.call("GET", MAPS, { headers: BOTH });
    const lists = decodeProtobuf("core.v1.ConfigMapList", list.bytes) as Loose;
    const wanted = (await send("GET", MAPS)).json;
    assert.deepEqual(
      [lists.kind, lists.metadata, lists.items],
      ["ConfigMapList", wanted.metadata, wanted.items.map(({ metadata, data }: Loose) => ({ metadata, data }))],
    );
    const as = "as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    const partial = await api.call("GET", MAPS, { headers: { accept: `${PROTOBUF};${as},application/json;${as}` } });
    const metadata = decodeProtobuf("meta.v1.PartialObjectMetadataList", partial.bytes) as Loose;
    assert.deepEqual(
      [metadata.apiVersion, metadata.kind, metadata.items.at(0).metadata.name],
      ["meta.k8s.io/v1", "PartialObjectMetadataList", "a"],
    );
    const missing = await api.call("GET", `${MAPS}/none`, { headers: BOTH });
    const status = decodeProtobuf("meta.v1.Status", missing.bytes) as Loose;
    assert.deepEqual(
      [missing.status, status.kind, status.reason, status.details],
      [404, "Status", "NotFound", { name: "none", kind: "configmaps" }],
    );
    const gone = await api.call("DELETE", `${MAPS}/a`, { headers: BOTH });
    assert.equal((decodeProtobuf("meta.v1.Status", gone.bytes) as Loose).status, "Success");
    const page = await api.call("GET", `${MAPS}?limit=1`, { headers: BOTH });
    assert.equal((decodeProtobuf("core.v1.ConfigMapList", page.bytes) as Loose).items.length, 1);
  });

  test("metadata is asked of an object as one, and of a list as a list", async () => {
    const as = (form: string) => ({ headers: { accept: `application/json;as=${form};g=meta.k8s.io;v=v1` } });
    const maps = as("PartialObjectMetadata");
    await send("POST", MAPS, { metadata: { name: "m" } });
    const wrong = await api.call("GET", MAPS, maps);
    const why = "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)";
    assert.deepEqual([wrong.status, wrong.json.reason, wrong.json.message], [406, "NotAcceptable", why]);
    const one = await api.call("GET", `${MAPS}/m`, as("PartialObjectMetadataList"));
    const not = "you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)";
    assert.deepEqual([one.status, one.json.message], [406, not]);
    assert.equal((await api.call("GET", MAPS, as("PartialObjectMetadataList"))).json.kind, "PartialObjectMetadataList");
    assert.equal((await api.call("GET", `${MAPS}/m`, maps)).json.kind, "PartialObjectMetadata");
  });

  test("what is large is packed for who names gzip, and for nobody else", async () => {
    await send("POST", MAPS, { metadata: { name: "large" }, data: { k: "x".repeat(200_000) } });
    const packed = async (accepted: string, name = "large") => {
      const { headers, bytes } = await api.call("GET", `${MAPS}/${name}`, { headers: { "accept-encoding": accepted } });
      assert.equal(headers["content-length"], String(bytes.length));
      return [headers["content-encoding"], headers.vary, bytes.length < 100_000];
    };
    assert.deepEqual(await packed("deflate, gzip"), ["gzip", "Accept-Encoding", true]);
    for (const other of ["identity", "gzip;q=0", "x-gzip", "br"])
      assert.deepEqual(await packed(other), [undefined, undefined, false], other);
    assert.deepEqual(await packed("gzip", "m"), [undefined, undefined, true]);
  });

  test("what was read in it is written back in it, and nothing has changed", async () => {
    const probe = { tcpSocket: { port: 80 }, initialDelaySeconds: 0 };
    // Zeros that are written by hand, and that Go would not write.
    const container = { name: "c", image: "i", livenessProbe: probe, env: [{ name: "E", value: "" }], tty: false };
    const spec = { containers: [container], hostNetwork: false, subdomain: "", enableServiceLinks: false };
    const path = "/api/v1/namespaces/default/pods";
    await api.call("POST", path, { body: { metadata: { name: "same" }, spec } });
    const { bytes } = await api.call("GET", `${path}/same`, { headers: { accept: PROTOBUF } });
    const headers = { "content-type": PROTOBUF, "content-length": String(bytes.length) };
    const { status, json } = await api.call("PUT", `${path}/same`, { body: bytes, headers });
    assert.equal(status, 200, json.message);
    assert.deepEqual(json, (await api.call("GET", `${path}/same`)).json);
  });

  test("a watch is frames with their length before them", async () => {
    const path = `${MAPS}?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`;
    const response = await api.stream(`${path}&labelSelector=watched`, BOTH);
    assert.equal(response.headers["content-type"], `${PROTOBUF};stream=watch`);
    const map = (name: string) => ({ metadata: { name, labels: { watched: "yes" } }, data: { k: "v" } });
    await send("POST", MAPS, map("w"));
    await send("DELETE", `${MAPS}/w`);
    const events: Loose[] = [];
    let waiting = Buffer.alloc(0);
    for await (const chunk of response as AsyncIterable<Buffer>) {
      waiting = Buffer.concat([waiting, chunk]);
      for (let size = frameSize(waiting); size !== undefined; size = frameSize(waiting)) {
        events.push(watchEvent(waiting.subarray(4, 4 + size)));
        waiting = waiting.subarray(4 + size);
      }
      if (events.length >= 3) break;
    }
    assert.deepEqual(
      events.map(({ type, object }) => [type, object.kind, object.metadata.name]),
      [
        ["BOOKMARK", "ConfigMap", undefined],
        ["ADDED", "ConfigMap", "w"],
        ["DELETED", "ConfigMap", "w"],
      ],
    );
    assert.deepEqual(events[0].object.metadata.annotations, { "k8s.io/initial-events-end": "true" });
  });

  test("custom kinds and tables are JSON for who takes that, and nothing else for who does not", async () => {
    const name = "things.example.com";
    const names = { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList" };
    const schema = { openAPIV3Schema: { type: "object" } };
    const versions = [{ name: "v1", served: true, storage: true, subresources: { status: {} }, schema }];
    const crd = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name },
      spec: { group: "example.com", scope: "Namespaced", names, versions },
    };
    const body = encodeProtobuf("apiextensions.v1.CustomResourceDefinition", crd);
    const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const made = await api.call("POST", definitions, { body, headers: { "content-type": PROTOBUF } });
    assert.deepEqual([made.status, made.json?.spec.versions[0].subresources], [201, { status: {} }], made.text);
    const path = "/apis/example.com/v1/namespaces/default/things";
    const json = await api.call("GET", path, { headers: BOTH });
    assert.deepEqual([json.status, json.headers["content-type"]], [200, "application/json"]);
    assert.equal((await api.call("GET", path, { headers: { accept: PROTOBUF } })).status, 406);
    const as = "as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    assert.equal((await api.call("GET", path, { headers: { accept: `${PROTOBUF};${as}` } })).status, 200);
    const table = `${PROTOBUF};as=Table;g=meta.k8s.io;v=v1`;
    assert.equal((await api.call("GET", MAPS, { headers: { accept: table } })).status, 406);
  });

  const program = kubernetesProgram("kubectl");
  test("kubectl reads what it asks for in it", {
    skip: program === undefined && "kubectl cannot be had here",
  }, async () => {
    const run = kubectl(api.kubeconfig, api.directory.join("home")) as NonNullable<ReturnType<typeof kubectl>>;
    const apps = "/apis/apps/v1/namespaces/default";
    const container = {
      name: "a",
      image: "i",
      ports: [{ containerPort: 80 }],
      env: [{ name: "E", valueFrom: { configMapKeyRef: { name: "c", key: "k", optional: false } } }],
      livenessProbe: { httpGet: { port: "http", path: "/" }, initialDelaySeconds: 5 },
      resources: { limits: { cpu: "1500m", memory: "1Gi" } },
      securityContext: { runAsUser: 0, privileged: false },
      volumeMounts: [{ name: "v", mountPath: "/v" }],
    };
    const template = {
      metadata: { labels: { a: "b" } },
      spec: {
        containers: [container],
        volumes: [{ name: "v", emptyDir: { sizeLimit: "1Mi" } }],
        tolerations: [{ operator: "Exists", effect: "NoExecute", tolerationSeconds: 7 }],
      },
    };
    const spec = { replicas: 0, selector: { matchLabels: { a: "b" } }, template };
    const replaced: readonly (readonly [string, object])[] = [
      [
        `${apps}/deployments`,
        { metadata: { name: "d" }, spec: { ...spec, strategy: { rollingUpdate: { maxSurge: "10%" } } } },
      ],
      [`${apps}/daemonsets`, { metadata: { name: "s" }, spec: { selector: spec.selector, template } }],
      [`${apps}/replicasets`, { metadata: { name: "r" }, spec }],
      [
        "/api/v1/namespaces/default/services",
        { metadata: { name: "v" }, spec: { ports: [{ port: 80, targetPort: "web" }] } },
      ],
      [
        "/api/v1/nodes",
        { metadata: { name: "n" }, spec: { unschedulable: true, taints: [{ key: "k", effect: "NoSchedule" }] } },
      ],
      ["/api/v1/namespaces/default/pods", { metadata: { name: "p" }, spec: template.spec }],
    ];
    for (const [path, object] of replaced) assert.equal((await send("POST", path, object)).status, 201, path);
    const { stdout } = await run(["cluster-info", "dump", "--namespaces=default", "-o", "json"]);
    const dumped = new Map<string, Loose>();
    for (const text of stdout.split(/(?<=^\})\n/m)) {
      if (!text.trimStart().startsWith("{")) continue;
      const list = JSON.parse(text);
      for (const item of list.items ?? []) dumped.set(`${list.kind} ${item.metadata.name}`, item);
    }
    for (const [path, object] of replaced) {
      const { name } = (object as Loose).metadata;
      const shown = (await send("GET", `${path}/${name}`)).json;
      const { apiVersion: _, kind, ...wanted } = shown;
      // kubectl shows no managers, and zeros of a status.
      delete wanted.metadata.managedFields;
      const seen = { ...dumped.get(`${kind}List ${name}`) };
      delete wanted.status;
      delete seen.status;
      assert.deepEqual(bare(seen), bare(wanted), kind);
    }
    const who = JSON.parse((await run(["auth", "whoami", "-o", "json"])).stdout);
    assert.equal(who.status.userInfo.username, "kubernetes-admin");
    const job = await run([
      "create",
      "cronjob",
      "c",
      "--image=i",
      "--schedule=* * * * *",
      "-o",
      "json",
      "--show-managed-fields",
    ]);
    const kept = (await send("GET", "/apis/batch/v1/namespaces/default/cronjobs/c")).json;
    const made = JSON.parse(job.stdout);
    assert.deepEqual(bare(made), bare(kept));
    assert.deepEqual(made.metadata.managedFields, kept.metadata.managedFields);
  });
});

const frameSize = (bytes: Buffer): number | undefined => {
  if (bytes.length < 4) return undefined;
  const size = bytes.readUInt32BE();
  return bytes.length < 4 + size ? undefined : size;
};

/** `meta.v1.WatchEvent`: 1 its type, 2 a message whose 1 is the object. */
function watchEvent(bytes: Buffer): Loose {
  const fields = fieldsOf(bytes);
  const object = fieldsOf(fields.get(2) ?? Buffer.alloc(0)).get(1) ?? Buffer.alloc(0);
  return { type: String(fields.get(1)), object: decodeProtobuf("core.v1.ConfigMap", object) };
}

function fieldsOf(bytes: Buffer): Map<number, Buffer> {
  const fields = new Map<number, Buffer>();
  const varint = (): number => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
      shift += 7;
    }
  };
  let at = 0;
  while (at < bytes.length) {
    const number = varint() >>> 3;
    const length = varint();
    fields.set(number, bytes.subarray(at, (at += length)));
  }
  return fields;
}
