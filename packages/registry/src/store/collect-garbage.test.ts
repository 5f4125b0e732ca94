import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { FakeClock } from "@boxship/base";
import { type ContentStore, openContentStore } from "@boxship/oci";
import { tempDir } from "@boxship/testkit";
import { listenForTest, pushBlob, pushImage, sha256 } from "../testing/registry-under-test.ts";

const HOUR = 3_600_000;

/** Does something when a sweep of the content begins: what it looked at before is old by then. */
function atSweep(store: ContentStore, work: () => Promise<void>): ContentStore {
  let done = false;
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (name !== "sweep" || done) return method;
      done = true;
      return async (...args: unknown[]) => {
        await work();
        return method(...args);
      };
    },
  });
}

test("what a client found stays for the manifest that it is about to push, however old it is", async () => {
  const clock = new FakeClock(1_800_000_000_000);
  await using under = await listenForTest({ clock });
  const { url, registry } = under;
  const digest = await pushImage(url, "app", "v1");
  const bytes = await (await fetch(`${url}/app/manifests/v1`)).text();
  await fetch(`${url}/app/manifests/${digest}`, { method: "DELETE" });
  await clock.advance(2 * HOUR);
  const layer = sha256("layer of app");
  assert.equal((await fetch(`${url}/app/blobs/${layer}`, { method: "HEAD" })).status, 200);
  assert.equal((await registry.collectGarbage({ untagged: true })).links, 1, "only what nobody asked for");
  const config = JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } });
  await pushBlob(url, "app", config);
  const headers = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
  assert.equal((await fetch(`${url}/app/manifests/v2`, { method: "PUT", body: bytes, headers })).status, 201);
  await clock.advance(2 * HOUR);
  await registry.collectGarbage({ untagged: true });
  assert.deepEqual((await registry.check()).problems, []);
  await fetch(`${url}/app/manifests/${digest}`, { method: "DELETE" });
  await clock.advance(2 * HOUR);
  assert.equal((await registry.collectGarbage()).links, 2, "and is not kept for ever");
});

test("what comes to be needed after the sweep has looked is not taken by it", async () => {
  const clock = new FakeClock(1_800_000_000_000);
  await using directory = tempDir("sweep");
  await using store = await openContentStore({ root: directory.path, clock });
  let url = "";
  const again = async () => {
    await pushBlob(url, "again", "old bytes");
    await pushImage(url, "again", "v1");
  };
  await using under = await listenForTest({ clock, content: atSweep(store, again) });
  ({ url } = under);
  const digest = await pushBlob(url, "first", "old bytes");
  assert.equal((await fetch(`${url}/first/blobs/${digest}`, { method: "DELETE" })).status, 202);
  await clock.advance(2 * HOUR);
  await under.registry.collectGarbage();
  assert.equal(await (await fetch(`${url}/again/blobs/${digest}`)).text(), "old bytes");
  assert.deepEqual((await under.registry.check()).problems, []);
});

test("what is found while it is collected can be named, and what cannot be named is not found", async () => {
  const clock = new FakeClock(1_800_000_000_000);
  await using under = await listenForTest({ clock });
  const { url, registry } = under;
  const type = "application/vnd.oci.image.manifest.v1+json";
  for (let round = 0; round < 20; round++) {
    const blob = await pushBlob(url, "app", `config ${round}`);
    await clock.advance(2 * HOUR);
    const config = { mediaType: "application/vnd.example", digest: blob, size: 9 };
    const body = JSON.stringify({ schemaVersion: 2, mediaType: type, config, layers: [] });
    const look = async () => {
      await setTimeout(round % 5);
      const { status } = await fetch(`${url}/app/blobs/${blob}`, { method: "HEAD" });
      const headers = { "content-type": type };
      const put = await fetch(`${url}/app/manifests/v${round}`, { method: "PUT", body, headers });
      assert.equal(put.status, status === 200 ? 201 : 400);
    };
    await Promise.all([registry.collectGarbage(), look()]);
  }
  assert.deepEqual((await registry.check()).problems, []);
});
