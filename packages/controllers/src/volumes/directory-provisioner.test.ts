import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { JsonObject } from "@boxship/api";
import { tempDir } from "@boxship/testkit";
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES } from "../shared/resources.ts";
import { startWorld } from "../testing/world.ts";
import type { Claim, Volume } from "../types/volumes.ts";
import { directoryProvisioner } from "./directory-provisioner.ts";
import { claimProtection, volumeProtection } from "./protection-controllers.ts";
import { volumeBinder } from "./volume-binder.ts";

test("directories are made for claims, once and where the scheduler says, and are taken away only if they are ours", async () => {
  await using home = tempDir();
  const directory = home.join("volumes");
  // Left by one that was killed: empty ones go, data stays.
  mkdirSync(`${directory}/pvc-gone_default_a`, { recursive: true });
  mkdirSync(`${directory}/pvc-kept_default_b`);
  writeFileSync(`${directory}/pvc-kept_default_b/file`, "");
  const released: string[] = [];
  const releaseMounts = async (path: string): Promise<void> => {
    assert.ok(existsSync(path));
    released.push(path);
  };
  const limits: (readonly [path: string, bytes: bigint])[] = [];
  const limit = async (path: string, bytes: bigint): Promise<boolean> => {
    assert.ok(existsSync(path));
    limits.push([path, bytes]);
    return true;
  };
  const definitions = [
    directoryProvisioner({ directory, nodeName: "here", releaseMounts, limit }),
    volumeBinder,
    claimProtection,
    volumeProtection,
  ];
  await using world = await startWorld({ definitions });
  const { client } = world;
  await world.settle();
  assert.deepEqual(readdirSync(directory), ["pvc-kept_default_b"]);
  const classes = (await client.list(STORAGE_CLASSES)).items.map(({ metadata }) => metadata.name);
  assert.deepEqual(classes, ["standard"]);

  const claim = async (name: string, spec: JsonObject = {}): Promise<Claim> => {
    const storage = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec };
    const metadata = { name, namespace: "default" };
    return await client.create<Claim>(
      { ...PERSISTENT_VOLUME_CLAIMS, namespace: "default" },
      { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec: storage },
    );
  };
  const at = (name: string) => ({ ...PERSISTENT_VOLUME_CLAIMS, namespace: "default", name });
  const choose = async (name: string, node: string): Promise<void> => {
    const annotations = { "volume.kubernetes.io/selected-node": node };
    await client.patch(at(name), "merge", { metadata: { annotations } });
    await world.settle();
  };
  const { metadata } = await claim("data");
  await claim("elsewhere");
  await claim("block", { volumeMode: "Block" });
  await choose("data", "here");
  await choose("elsewhere", "there");
  await choose("block", "here");
  assert.equal((await client.get<Claim>(at("data"))).status?.phase, "Bound");
  assert.ok(existsSync(`${directory}/pvc-${metadata.uid}_default_data`));
  assert.equal((await client.get<Claim>(at("elsewhere"))).status?.phase, "Pending");
  // The scheduler is told to choose again.
  const { annotations = {} } = (await client.get<Claim>(at("block"))).metadata;
  assert.equal(annotations["volume.kubernetes.io/selected-node"], undefined);
  assert.match(world.history.lines.join("\n"), /ProvisioningFailed: .*"standard": volumeMode Block is not supported/);

  const larger = { spec: { resources: { requests: { storage: "1500000000500m" } } } };
  await client.patch(at("data"), "merge", larger);
  await world.settle();
  const grown = await client.get<Volume>({ ...PERSISTENT_VOLUMES, name: `pvc-${metadata.uid}` });
  assert.equal(grown.spec?.capacity?.["storage"], "1500000000500m");
  assert.equal(grown.metadata.annotations?.["boxship.io/quota"], "enforced");

  // A volume that somebody wrote himself, and that names what is not the provisioner's.
  const precious = home.join("precious");
  mkdirSync(precious);
  const forged = await client.get<Volume>({ ...PERSISTENT_VOLUMES, name: `pvc-${metadata.uid}` });
  await client.create<Volume>(PERSISTENT_VOLUMES, {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "forged", annotations: forged.metadata.annotations ?? {} },
    spec: {
      ...forged.spec,
      local: { path: precious },
      claimRef: { namespace: "default", name: "none", uid: "1", kind: "PersistentVolumeClaim", apiVersion: "v1" },
    },
  });
  await client.delete(at("data"));
  await world.settle();
  assert.deepEqual(readdirSync(directory), ["pvc-kept_default_b"]);
  const path = `${directory}/pvc-${metadata.uid}_default_data`;
  assert.deepEqual(released, [path]);
  assert.deepEqual(limits, [
    [path, 1n << 30n],
    [path, 1_500_000_001n],
    [path, 0n],
  ]);
  assert.ok(existsSync(precious));
  const left = (await client.list<Volume>(PERSISTENT_VOLUMES)).items.map((volume) => [
    volume.metadata.name,
    volume.status?.phase,
  ]);
  assert.deepEqual(left, [["forged", "Released"]]);
});
