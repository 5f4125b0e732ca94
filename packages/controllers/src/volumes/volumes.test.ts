import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { NotFound } from "@boxship/base";
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES } from "../shared/resources.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { Claim, Volume } from "../types/volumes.ts";
import { expandController } from "./expand-controller.ts";
import { claimProtection, volumeProtection } from "./protection-controllers.ts";
import { volumeBinder } from "./volume-binder.ts";

let world: World;
before(async () => {
  world = await startWorld({ definitions: [expandController, claimProtection, volumeProtection, volumeBinder] });
});
after(() => world?.[Symbol.asyncDispose]());

const claim = (name: string, spec: JsonObject = {}): Promise<KubeObject> =>
  world.create({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace: "default" },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "5Gi" } },
      storageClassName: "",
      ...spec,
    },
  });

const volume = (name: string, storage: string, spec: JsonObject = {}): Promise<KubeObject> =>
  world.client.create(PERSISTENT_VOLUMES, {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: { capacity: { storage }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/data" }, ...spec },
  });

const storageClass = (name: string, provisioner: string, volumeBindingMode: string): Promise<KubeObject> =>
  world.client.create(STORAGE_CLASSES, {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name },
    provisioner,
    volumeBindingMode,
  });

const claimAt = (name: string) => ({ ...PERSISTENT_VOLUME_CLAIMS, namespace: "default", name });
const getClaim = (name: string): Promise<Claim> => world.client.get<Claim>(claimAt(name));
const getVolume = (name: string): Promise<Volume> => world.client.get<Volume>({ ...PERSISTENT_VOLUMES, name });
const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);

describe("claims and volumes", () => {
  test("a claim gets the smallest volume that is large enough, and gives it back", async () => {
    await golden("bind", [
      ["a claim of 5Gi without a class", () => claim("data")],
      ["a volume that is too small", () => volume("small", "1Gi")],
      ["one of 20Gi", () => volume("large", "20Gi")],
      ["the claim is deleted", () => world.client.delete(claimAt("data"))],
    ]);
    assert.equal((await getVolume("small")).status?.phase, "Available");
    assert.equal((await getVolume("large")).status?.phase, "Released");
  });

  test("a volume that was made for a claim is nobody else's, and a claim may name its volume", async () => {
    await volume("reserved", "8Gi", { claimRef: { namespace: "default", name: "chosen" } });
    await volume("named", "9Gi");
    await claim("by-name", { volumeName: "named" });
    await claim("other");
    await world.settle();
    assert.equal((await getClaim("other")).status?.phase, "Pending");
    await claim("chosen");
    await world.settle();
    assert.deepEqual(
      [(await getClaim("chosen")).spec?.volumeName, (await getClaim("by-name")).spec?.volumeName],
      ["reserved", "named"],
    );
    await world.client.delete(claimAt("other"));
    await world.settle();
  });

  test("a class: somebody makes the volume, at once or when a pod needs it", async () => {
    await storageClass("now", "example.com/disk", "Immediate");
    await storageClass("later", "example.com/disk", "WaitForFirstConsumer");
    await golden("classes", [
      ["a claim to be filled at once", () => claim("prompt", { storageClassName: "now" })],
      ["one that waits for its pod", () => claim("lazy", { storageClassName: "later" })],
      [
        "the scheduler has chosen a node",
        () =>
          world.client.patch(claimAt("lazy"), "merge", {
            metadata: { annotations: { "volume.kubernetes.io/selected-node": "node-1" } },
          }),
      ],
    ]);
  });

  test("a claim that wants more is told who makes its volume larger", async () => {
    await world.client.create(STORAGE_CLASSES, {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: "grows" },
      provisioner: "example.com/disk",
      allowVolumeExpansion: true,
    });
    await volume("grown", "5Gi", { storageClassName: "grows" });
    await claim("grown", { storageClassName: "grows" });
    await world.settle();
    assert.equal((await getClaim("grown")).status?.phase, "Bound");
    await world.client.patch(claimAt("grown"), "merge", { spec: { resources: { requests: { storage: "6Gi" } } } });
    await world.settle();
    const words = "Normal ExternalExpanding: waiting for an external controller to expand this PVC";
    assert.equal(world.history.lines.filter((line) => line.endsWith(words)).length, 1);
    assert.equal((await getClaim("grown")).status?.capacity?.["storage"], "5Gi");
  });

  test("what is in use stays until it is not", async () => {
    await world.create({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "user", namespace: "default" },
      spec: {
        nodeName: "node-1",
        containers: [{ name: "c", image: "x" }],
        volumes: [{ name: "v", persistentVolumeClaim: { claimName: "chosen" } }],
      },
    });
    await world.client.delete({ ...PERSISTENT_VOLUMES, name: "reserved" });
    await world.client.delete(claimAt("chosen"));
    await world.settle();
    assert.notEqual((await getClaim("chosen")).metadata.deletionTimestamp, undefined);
    await world.client.delete({ ...PODS, namespace: "default", name: "user" }, { gracePeriodSeconds: 0 });
    await world.settle();
    await assert.rejects(getClaim("chosen"), NotFound);
    await assert.rejects(getVolume("reserved"), NotFound);
  });

  test("of two claims to one volume the second waits, and says why", async () => {
    await volume("wanted", "9Gi");
    await claim("first", { volumeName: "wanted" });
    await world.settle();
    await claim("second", { volumeName: "wanted" });
    await world.settle();
    const phases = [(await getClaim("first")).status?.phase, (await getClaim("second")).status?.phase];
    assert.deepEqual(phases, ["Bound", "Pending"]);
    const words = 'second: Warning FailedBinding: volume "wanted" already bound to a different claim.';
    assert.equal(world.history.lines.filter((line) => line.endsWith(words)).length, 1);
  });

  test("a volume that is given away by hand leaves its claim lost, and one that is nobody's its claim's", async () => {
    await volume("kept", "9Gi");
    await claim("keeper", { volumeName: "kept" });
    await world.settle();
    const edit = async (claimRef: JsonObject | null) => {
      await world.client.patch({ ...PERSISTENT_VOLUMES, name: "kept" }, "merge", { spec: { claimRef } });
      await world.settle();
    };
    await edit(null);
    assert.equal((await getVolume("kept")).spec?.claimRef?.name, "keeper");
    await edit({ name: "nobody", uid: "00000000-0000-4000-8000-000000000000" });
    assert.deepEqual(
      [(await getVolume("kept")).status?.phase, (await getClaim("keeper")).status?.phase],
      ["Released", "Lost"],
    );
    const words = "ClaimMisbound: Two claims are bound to the same volume, this one is bound incorrectly";
    assert.equal(world.history.lines.filter((line) => line.endsWith(words)).length, 1);
    await edit(null);
    assert.equal((await getClaim("keeper")).status?.phase, "Bound");
  });

  test("a claim whose volume is gone is lost", async () => {
    await world.client.patch({ ...PERSISTENT_VOLUMES, name: "named" }, "merge", { metadata: { finalizers: [] } });
    await world.client.delete({ ...PERSISTENT_VOLUMES, name: "named" });
    await world.settle();
    assert.equal((await getClaim("by-name")).status?.phase, "Lost");
  });
});
