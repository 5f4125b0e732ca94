import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Json, type JsonObject, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { silentLogger as logger } from "@boxship/base";
import { type ApiClient, openHttpClient } from "@boxship/client";
import { etcdCertificates, startApiServer, tempDir } from "@boxship/testkit";
import { readConfiguration } from "../config/read-configuration.ts";
import { Scheduler } from "../scheduler.ts";
import { node, type PodParts, pod } from "../testing/objects.ts";

const PODS = { group: "", version: "v1", resource: "pods", namespace: "default" };
const NODES = { group: "", version: "v1", resource: "nodes" };

type Answer = (args: JsonObject) => Json | Promise<Json>;

describe("an extender", () => {
  const stack = new AsyncDisposableStack();
  const answers = new Map<string, Answer>();
  const asked: { readonly verb: string; readonly args: JsonObject }[] = [];
  let client: ApiClient;
  let urlPrefix = "";

  const serve: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => void chunks.push(chunk));
    request.on("end", () => {
      const verb = (request.url ?? "").split("/").at(-1) ?? "";
      const args = JSON.parse(Buffer.concat(chunks).toString()) as JsonObject;
      asked.push({ verb, args });
      const answer = answers.get(verb);
      void Promise.resolve(answer?.(args)).then((told) => {
        response.writeHead(answer === undefined ? 500 : 200).end(JSON.stringify(told ?? null));
      });
    });
  };

  before(async () => {
    const server = createServer(serve);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    stack.defer(() => void server.close());
    stack.defer(() => server.closeAllConnections());
    urlPrefix = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
    const api = stack.use(await startApiServer());
    client = stack.use(openHttpClient({ server: "http://in-process", createConnection: () => api.connect() }));
    for (const name of ["a", "b", "c"]) {
      const { status, ...rest } = node(name, { cpu: "1", others: { "example.com/gpu": "1" } });
      const { metadata } = await client.create(NODES, rest);
      const made = await client.update({ ...NODES, name }, { ...rest, metadata });
      await client.update({ ...NODES, name }, { ...made, status: status ?? {} }, { subresource: "status" });
    }
    await client.create(
      { group: "scheduling.k8s.io", version: "v1", resource: "priorityclasses" },
      { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name: "urgent" }, value: 1000 },
    );
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    answers.clear();
    asked.length = 0;
    await client.deleteCollection(PODS, { gracePeriodSeconds: 0 });
  });

  const scheduler = async (extender: JsonObject): Promise<Scheduler> => {
    const { profiles, extenders } = readConfiguration({
      apiVersion: "kubescheduler.config.k8s.io/v1",
      kind: "KubeSchedulerConfiguration",
      extenders: [{ urlPrefix, ...extender }],
    });
    const made = new Scheduler({ client, logger, profiles, extenders });
    await made.ready;
    return made;
  };

  const addPod = async (name: string, parts: PodParts = {}): Promise<void> => {
    const { metadata: _, ...object } = pod(name, parts);
    await client.create(PODS, { ...object, metadata: { name } });
  };

  const until = async (name: string, holds: (one: KubeObject) => boolean): Promise<KubeObject> => {
    const deadline = performance.now() + 60_000;
    for (;;) {
      const found = await client.get({ ...PODS, name });
      if (holds(found)) return found;
      assert.ok(performance.now() < deadline, JSON.stringify(found, null, 1));
      await delay(10);
    }
  };
  const nodeOf = (one: KubeObject): string => textAt(one, "spec", "nodeName");
  const condition = (one: KubeObject) =>
    listAt(one, "status", "conditions").find((each) => textAt(each, "type") === "PodScheduled");
  const itemNames = (args: JsonObject): readonly string[] =>
    listAt(args, "nodes", "items").map((each) => textAt(each, "metadata", "name"));

  test("narrows down the nodes, and prefers some", async () => {
    answers.set("filter", (args) => ({
      Nodes: { items: listAt(args, "nodes", "items").filter((each) => textAt(each, "metadata", "name") !== "a") },
      FailedNodes: { a: "not this one" },
    }));
    answers.set("prioritize", () => [
      { Host: "b", Score: 0 },
      { Host: "c", Score: 10 },
    ]);
    await using _ = await scheduler({ filterVerb: "filter", prioritizeVerb: "prioritize", weight: 5 });
    await addPod("one");
    assert.equal(nodeOf(await until("one", (each) => nodeOf(each) !== "")), "c");
    assert.deepEqual(
      asked.map(({ verb, args }) => [verb, [...itemNames(args)].sort()]),
      [
        ["filter", ["a", "b", "c"]],
        ["prioritize", ["b", "c"]],
      ],
    );
    assert.equal(textAt(asked[0]?.args, "pod", "metadata", "name"), "one");
  });

  test("is asked over TLS, with a certificate, and another one than expected is refused", async () => {
    await using directory = tempDir("extender");
    await etcdCertificates(directory);
    const pem = (name: string): Buffer => readFileSync(directory.join(name));
    const server = createSecureServer(
      { key: pem("server.key"), cert: pem("server.pem"), ca: pem("ca.pem"), requestCert: true },
      serve,
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    using _closing = { [Symbol.dispose]: () => void server.close() };
    const { port } = server.address() as AddressInfo;
    const base64 = (name: string): string => pem(name).toString("base64");
    const identity = { certData: base64("client.pem"), keyData: base64("client.key") };
    const secure = { urlPrefix: `127.0.0.1:${port}/x`, enableHTTPS: true, filterVerb: "filter" };
    answers.set("filter", () => ({ nodenames: ["b"] }));
    {
      await using _ = await scheduler({ ...secure, nodeCacheCapable: true, tlsConfig: identity });
      await addPod("distrusts");
      const failed = await until("distrusts", (each) => textAt(condition(each), "reason") === "SchedulerError");
      assert.match(textAt(condition(failed), "message"), /certificate/);
      assert.equal(asked.length, 0);
    }
    const tlsConfig = { ...identity, caData: base64("ca.pem") };
    await using _ = await scheduler({ ...secure, nodeCacheCapable: true, tlsConfig });
    await addPod("trusts");
    assert.equal(nodeOf(await until("trusts", (each) => nodeOf(each) !== "")), "b");
  });

  test("that knows the nodes is told names only, and may refuse all: the pod says why, and is tried again", async () => {
    answers.set("filter", () => ({
      nodenames: [],
      failedNodes: { a: "full", b: "full" },
      failedAndUnresolvableNodes: { c: "broken" },
    }));
    await using _ = await scheduler({ filterVerb: "filter", nodeCacheCapable: true });
    await addPod("one");
    const refused = await until("one", (each) => textAt(condition(each), "reason") === "Unschedulable");
    assert.match(textAt(condition(refused), "message"), /^0\/3 nodes are available: 1 broken, 2 full\./);
    answers.set("filter", () => ({ nodenames: ["b"] }));
    assert.equal(nodeOf(await until("one", (each) => nodeOf(each) !== "")), "b");
    assert.deepEqual([...(valueAt(asked[0]?.args, "nodenames") as string[])].sort(), ["a", "b", "c"]);
  });

  test("that is slow is asked once about a pod that changes meanwhile, and not for one that goes", async () => {
    const { promise: isOver, resolve: answer } = Promise.withResolvers<void>();
    answers.set("filter", () => isOver.then(() => ({ nodenames: ["b"] })));
    await using _ = await scheduler({ filterVerb: "filter", nodeCacheCapable: true, httpTimeout: "1m" });
    await addPod("one");
    while (asked.length === 0) await delay(5);
    await addPod("two");
    await client.patch({ ...PODS, name: "one" }, "merge", { metadata: { labels: { now: "other" } } });
    await client.delete({ ...PODS, name: "two" }, { gracePeriodSeconds: 0 });
    await addPod("three");
    answer();
    for (const name of ["one", "three"]) await until(name, (each) => nodeOf(each) === "b");
    assert.deepEqual(
      asked.map(({ args }) => textAt(args, "pod", "metadata", "name")),
      ["one", "three"],
    );
  });

  test("that does not answer stands in the way, unless it is ignorable", async () => {
    {
      await using _ = await scheduler({ filterVerb: "filter" });
      await addPod("one");
      const failed = await until("one", (each) => textAt(condition(each), "reason") === "SchedulerError");
      assert.match(
        textAt(condition(failed), "message"),
        /^extender http:\/\/127.0.0.1:\d+\/x: it answers with status 500$/,
      );
    }
    await using _ = await scheduler({ filterVerb: "filter", bindVerb: "bind", ignorable: true });
    await addPod("two");
    await until("two", (each) => nodeOf(each) !== "");
    assert.equal(asked.at(-1)?.verb, "bind", "the scheduler binds itself then");
  });

  test("is asked only for pods with its resources, which the scheduler need not count, and binds", async () => {
    const name = "example.com/gpu";
    answers.set("bind", (args) => {
      const target = { apiVersion: "v1", kind: "Node", name: textAt(args, "node") };
      const metadata = { name: textAt(args, "podName"), namespace: "default", uid: textAt(args, "podUID") };
      const binding = { apiVersion: "v1", kind: "Binding", metadata, target };
      void client.create(PODS, binding, { subresource: "binding" });
      return {};
    });
    await using _ = await scheduler({ bindVerb: "bind", managedResources: [{ name, ignoredByScheduler: true }] });
    await addPod("plain");
    await until("plain", (each) => nodeOf(each) !== "");
    assert.deepEqual(asked, []);
    await addPod("gpus", { container: { resources: { requests: { [name]: "4" }, limits: { [name]: "4" } } } });
    await until("gpus", (each) => nodeOf(each) !== "");
    assert.deepEqual(
      asked.map(({ verb, args }) => [verb, args["podName"], args["podNamespace"]]),
      [["bind", "gpus", "default"]],
    );
  });

  test("is asked about pods that would have to go, and may keep them", async () => {
    answers.set("preempt", ({ nodeNameToVictims }) => {
      const victims = valueAt(nodeNameToVictims, "b", "pods");
      return {
        nodeNameToMetaVictims: {
          b: { pods: (victims as KubeObject[]).map(({ metadata }) => ({ uid: metadata.uid ?? "" })) },
        },
      };
    });
    await using _ = await scheduler({ preemptVerb: "preempt" });
    for (const name of ["a", "b", "c"])
      await addPod(`on-${name}`, { cpu: "1", spec: { nodeSelector: { "kubernetes.io/hostname": name } } });
    for (const name of ["a", "b", "c"]) await until(`on-${name}`, (each) => nodeOf(each) === name);
    await addPod("urgent", { cpu: "1", spec: { priorityClassName: "urgent" } });
    await until("on-b", (each) => each.metadata.deletionTimestamp !== undefined);
    assert.deepEqual(Object.keys(valueAt(asked[0]?.args, "nodeNameToVictims") ?? {}).sort(), ["a", "b", "c"]);
    await client.delete({ ...PODS, name: "on-b" }, { gracePeriodSeconds: 0 }).catch(() => {});
    assert.equal(nodeOf(await until("urgent", (each) => nodeOf(each) !== "")), "b");
  });
});
