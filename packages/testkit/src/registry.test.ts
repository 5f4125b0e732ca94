import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { test } from "node:test";
import { faultyProxy } from "./faulty-proxy.ts";
import { pushFixture, pushIndexFixture } from "./image-fixture.ts";
import { REGISTRY_USER, startRegistry } from "./registry.ts";

const LAYER = {
  entries: [
    { name: "etc", type: "directory" as const },
    { name: "etc/hello", content: "hello" },
  ],
};
const ACCEPT = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

test("a registry takes images and is gone when it is disposed", async () => {
  let storage: string;
  let pid: number;
  {
    await using registry = await startRegistry();
    ({ storage, pid } = registry);
    const image = await pushFixture(registry, "team/app:v1", { layers: [LAYER, { ...LAYER, compression: "zstd" }] });
    const answer = await fetch(`${registry.url}/v2/team/app/manifests/v1`, { headers: { accept: ACCEPT } });
    assert.equal(answer.headers.get("docker-content-digest"), image.manifestDigest);
    const index = await pushIndexFixture(registry, "multi:1", [
      { layers: [LAYER], architecture: "amd64" },
      { layers: [LAYER], architecture: "arm64" },
    ]);
    const list = await fetch(`${registry.url}/v2/multi/manifests/1`, { headers: { accept: ACCEPT } });
    assert.equal(list.headers.get("docker-content-digest"), index.indexDigest);
  }
  await assert.rejects(access(storage));
  assert.throws(() => process.kill(pid, 0));
});

test("a registry with htpasswd lets only its user in", async () => {
  await using registry = await startRegistry({ auth: "htpasswd" });
  await pushFixture(registry, "app:1", { layers: [LAYER] }, { format: "docker" });
  assert.equal((await fetch(`${registry.url}/v2/`)).status, 401);
  const authorization = `Basic ${btoa(`${REGISTRY_USER.username}:${REGISTRY_USER.password}`)}`;
  assert.equal((await fetch(`${registry.url}/v2/`, { headers: { authorization } })).status, 200);
});

test("the proxy passes on and damages as planned", async () => {
  await using registry = await startRegistry();
  const { layers } = await pushFixture(registry, "app:1", { layers: [LAYER] });
  await using proxy = await faultyProxy(registry, () => undefined);
  const layer = layers[0] ?? { digest: "", size: 0 };
  const url = `http://${proxy.host}/v2/app/blobs/${layer.digest}`;
  const whole = Buffer.from(await (await fetch(url)).arrayBuffer());
  assert.equal(whole.length, layer.size);
  proxy.plan = () => ({ kind: "status", status: 503, headers: { "retry-after": "1" } });
  assert.equal((await fetch(url)).status, 503);
  proxy.plan = () => ({ kind: "cut", after: 10 });
  await assert.rejects(async () => (await fetch(url)).arrayBuffer());
  proxy.plan = () => ({ kind: "truncate", after: 10 });
  assert.equal((await (await fetch(url)).arrayBuffer()).byteLength, 10);
  proxy.plan = () => ({ kind: "resize", by: 7 });
  assert.equal((await (await fetch(url)).arrayBuffer()).byteLength, layer.size + 7);
  proxy.plan = () => ({ kind: "corrupt", at: 3 });
  const corrupt = Buffer.from(await (await fetch(url)).arrayBuffer());
  assert.deepEqual([corrupt.length, corrupt.equals(whole)], [whole.length, false]);
  assert.equal(proxy.requests.at(-1)?.earlier, 5);
});
