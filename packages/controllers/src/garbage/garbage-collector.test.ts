import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { KubeObject, OwnerReference } from "@boxship/api";
import { NotFound } from "@boxship/base";
import { CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, REPLICATION_CONTROLLERS, refOf } from "../shared/resources.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import { garbageCollector } from "./garbage-collector.ts";

let world: World;
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
});
