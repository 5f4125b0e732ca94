import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type KubeObject, listAt, type OwnerReference, textAt } from "@boxship/api";
import { issueCertificate, type KeyPair, makeAuthority } from "@boxship/apiserver";
import { NotFound } from "@boxship/base";
import { CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, REPLICATION_CONTROLLERS, refOf } from "../shared/resources.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import { garbageCollector } from "./garbage-collector.ts";

let world: World;

/** A server of `things.extension.example/v1` in a process of its own, behind the world's. */
class Extension implements AsyncDisposable {
  readonly #key: string;
  readonly #cert: string;
  readonly caBundle: string;
  #child: ChildProcess | undefined;

  private constructor(authority: KeyPair, pair: KeyPair) {
    this.caBundle = Buffer.from(authority.certificate).toString("base64");
    this.#key = pair.key;
    this.#cert = pair.certificate;
  }

  static async make(): Promise<Extension> {
    const authority = await makeAuthority("extension", Date.now());
    const wanted = { commonName: "x", usage: "server" as const, names: ["x.default.svc"], addresses: [] };
    return new Extension(authority, await issueCertificate(authority, wanted, Date.now()));
  }

  /** @returns its port */
  async start(): Promise<number> {
    const program = new URL("../../../apiserver/src/testing/extension-process.ts", import.meta.url);
    this.#child = fork(program, { execArgv: ["--disable-warning=ExperimentalWarning"] });
    this.#child.send({ key: this.#key, cert: this.#cert, ca: world.frontProxyAuthority });
    const [{ port }] = (await once(this.#child, "message")) as [{ port: number }];
    return port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

/** What is not the world's takes its time. */
async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    await world.settle();
    if (await holds()) return;
    await delay(50);
  }
  assert.fail(`it does not come to it that ${what}`);
}

before(async () => {
  world = await startWorld({ definitions: [garbageCollector] });
});
after(() => world?.[Symbol.asyncDispose]());

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);

const owner = ({ apiVersion, kind, metadata }: KubeObject, block = true): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name ?? "",
  uid: metadata.uid ?? "",
  blockOwnerDeletion: block,
});

/** A config map: anything may own anything. */
const map = (name: string, owners: readonly OwnerReference[] = [], namespace = "default"): Promise<KubeObject> =>
  world.create({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace, ownerReferences: [...owners] },
  });

const remove = (object: KubeObject, propagationPolicy: "Background" | "Foreground" | "Orphan"): Promise<unknown> =>
  world.client.delete(refOf(CONFIG_MAPS, object), { propagationPolicy });

async function names(prefix: string): Promise<readonly string[]> {
  const maps = await world.list("v1", "configmaps");
  return maps.map(({ metadata }) => metadata.name ?? "").filter((name) => name.startsWith(prefix));
}

describe("the garbage collector", () => {
  test("in the background: the owner goes at once, what it owned after it", async () => {
    const a = await map("bg-a");
    const b = await map("bg-b", [owner(a)]);
    await map("bg-c", [owner(b)]);
    await golden("background", [["the first of three in a row is deleted", () => remove(a, "Background")]]);
    assert.deepEqual(await names("bg-"), []);
  });

  test("in the foreground: what is owned goes first, unless it does not block", async () => {
    const a = await map("fg-a");
    const b = await map("fg-b", [owner(a)]);
    await map("fg-c", [owner(b)]);
    await map("fg-d", [owner(a, false)]);
    await golden("foreground", [["the first of three in a row is deleted", () => remove(a, "Foreground")]]);
    assert.deepEqual(await names("fg-"), []);
  });

  test("orphans: what was owned stays, and is nobody's", async () => {
    const a = await map("or-a");
    await map("or-b", [owner(a)]);
    await golden("orphan", [["the owner is deleted", () => remove(a, "Orphan")]]);
    assert.deepEqual(await names("or-"), ["or-b"]);
  });

  test("jobs and replication controllers let their pods go where nobody says otherwise", async () => {
    const template = { metadata: { labels: { app: "x" } }, spec: { containers: [{ name: "c", image: "x" }] } };
    const controller = await world.create({
      apiVersion: "v1",
      kind: "ReplicationController",
      metadata: { name: "quiet", namespace: "default" },
      spec: { replicas: 0, selector: { app: "x" }, template },
    });
    await map("quiet-a", [owner(controller)]);
    await world.client.delete(refOf(REPLICATION_CONTROLLERS, controller));
    await world.settle();
    await assert.rejects(world.client.get(refOf(REPLICATION_CONTROLLERS, controller)), NotFound);
    assert.deepEqual(await names("quiet-"), ["quiet-a"]);
  });

  test("with two owners: only when both are gone", async () => {
    const [a, b] = [await map("two-a"), await map("two-b")];
    await map("two-c", [owner(a), owner(b)]);
    await golden("two-owners", [
      ["the first goes", () => remove(a, "Background")],
      ["the second goes", () => remove(b, "Background")],
    ]);
    assert.deepEqual(await names("two-"), []);
  });

  test("a circle of owners goes in the foreground as well", async () => {
    const a = await map("ring-a");
    const b = await map("ring-b", [owner(a)]);
    await world.client.patch(refOf(CONFIG_MAPS, a), "merge", { metadata: { ownerReferences: [owner(b)] } });
    await world.settle();
    await remove(a, "Foreground");
    await world.settle();
    assert.deepEqual(await names("ring-"), []);
    const alone = await map("ring-alone");
    await world.client.patch(refOf(CONFIG_MAPS, alone), "merge", { metadata: { ownerReferences: [owner(alone)] } });
    await world.settle();
    await remove(alone, "Foreground");
    await world.settle();
    assert.deepEqual(await names("ring-"), []);
  });

  test("an owner that never was, or is another one of the same name, owns nothing", async () => {
    const a = await map("was-a");
    await map("was-b", [{ ...owner(a), uid: "00000000-0000-4000-8000-000000000000" }]);
    await world.settle();
    assert.deepEqual(await names("was-"), ["was-a"]);
  });

  test("an owner in another namespace is none, and an event says so", async () => {
    await world.client.create(
      { group: "", version: "v1", resource: "namespaces" },
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "far" } },
    );
    const a = await map("far-a", [], "far");
    const b = await map("far-b", [owner(a)]);
    await golden("wrong-namespace", [["nothing else happens", async () => {}]]);
    await assert.rejects(world.client.get(refOf(CONFIG_MAPS, b)), NotFound);
    await world.client.get(refOf(CONFIG_MAPS, a));
  });

  test("custom resources own and are owned, as soon as they are defined", async () => {
    const things = { group: "example.com", version: "v1", resource: "things", namespace: "default" };
    await world.client.create(CUSTOM_RESOURCE_DEFINITIONS, {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "things.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "things", kind: "Thing" },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
      },
    });
    await world.settle();
    const thing = await world.client.create(things, {
      apiVersion: "example.com/v1",
      kind: "Thing",
      metadata: { name: "t" },
    });
    await map("cr-a", [owner(thing)]);
    await world.client.create(things, {
      apiVersion: "example.com/v1",
      kind: "Thing",
      metadata: { name: "u", ownerReferences: [owner(thing)] },
    });
    await world.settle();
    await world.client.delete({ ...things, name: "t" }, { propagationPolicy: "Foreground" });
    await world.settle();
    assert.deepEqual(await names("cr-"), []);
    assert.equal((await world.client.list(things)).items.length, 0);
    await world.client.delete({ ...CUSTOM_RESOURCE_DEFINITIONS, name: "things.example.com" });
    await world.settle();
  });

  test("an owner of a kind that nobody serves keeps what it owns", async () => {
    await map("odd-a", [{ apiVersion: "nowhere.io/v1", kind: "Odd", name: "x", uid: "1", blockOwnerDeletion: true }]);
    await world.advance(60);
    assert.deepEqual(await names("odd-"), ["odd-a"]);
  });

  test("objects of a server behind this one own and are owned, and nothing is lost when it is away", async () => {
    await using extension = await Extension.make();
    const things = { group: "extension.example", version: "v1", resource: "things", namespace: "default" };
    const services = { group: "apiregistration.k8s.io", version: "v1", resource: "apiservices" };
    const slices = { group: "discovery.k8s.io", version: "v1", resource: "endpointslices", namespace: "default" };
    const thing = (name: string, owners: readonly OwnerReference[] = []): Promise<KubeObject> =>
      world.client.create(things, {
        apiVersion: "extension.example/v1",
        kind: "Thing",
        metadata: { name, namespace: "default", uid: `uid-of-${name}`, ownerReferences: [...owners] },
      });
    const thingNames = async (): Promise<readonly string[]> =>
      (await world.client.list(things)).items.map(({ metadata }) => metadata.name ?? "");
    const isAvailable = async (): Promise<string> =>
      textAt(
        listAt(await world.client.get({ ...services, name: "v1.extension.example" }), "status", "conditions")[0],
        "status",
      );

    await world.client.create(services, {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name: "v1.extension.example" },
      spec: {
        group: "extension.example",
        version: "v1",
        groupPriorityMinimum: 1000,
        versionPriority: 15,
        service: { name: "x", namespace: "default", port: 443 },
        caBundle: extension.caBundle,
      },
    });
    await world.create({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "x", namespace: "default" },
      spec: { ports: [{ port: 443 }] },
    });
    await world.client.create(slices, {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "x1", labels: { "kubernetes.io/service-name": "x" } },
      addressType: "IPv4",
      ports: [{ name: "", port: await extension.start(), protocol: "TCP" }],
      endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
    });
    await eventually("it is found", async () => (await isAvailable()) === "True");

    const above = await map("ext-above");
    const one = await thing("one", [owner(above)]);
    await map("ext-below", [owner(one)]);
    const stays = await thing("stays");
    await map("ext-stays", [owner(stays)]);
    await remove(above, "Background");
    await eventually("all three are gone", async () => !(await names("ext-")).includes("ext-below"));
    assert.deepEqual([await names("ext-"), await thingNames()], [["ext-stays"], ["stays"]]);
    // One that never was is not there, by the word of who would know.
    await map("ext-never", [owner({ ...stays, metadata: { name: "never", uid: "uid-of-never" } })]);
    await eventually("it has no owner", async () => (await names("ext-never")).length === 0);

    await extension[Symbol.asyncDispose]();
    // It is looked for when where it is has changed, and otherwise only now and then.
    await world.client.patch({ ...slices, name: "x1" }, "merge", { metadata: { annotations: { moved: "no" } } });
    await eventually("it is missed", async () => (await isAvailable()) === "False");
    await map("ext-unknown", [owner({ ...stays, metadata: { name: "other", uid: "uid-of-other" } })]);
    const a = await map("ext-others");
    await map("ext-others-too", [owner(a)]);
    await remove(a, "Background");
    await eventually("others are collected", async () => (await names("ext-others")).length === 0);
    await world.client.delete({ ...services, name: "v1.extension.example" });
    await world.advance(120);
    assert.deepEqual(await names("ext-"), ["ext-stays", "ext-unknown"]);
  });
});
