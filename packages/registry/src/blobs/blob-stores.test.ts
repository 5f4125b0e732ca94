import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { createLogger, systemClock, Unavailable } from "@boxship/base";
import { type EngineOptions, Images } from "@boxship/engine";
import { openContentStore } from "@boxship/oci";
import { tempDir } from "@boxship/testkit";
import { parseRegistryFile } from "../config/registry-file.ts";
import { blobStoreSuite } from "../testing/blob-store-suite.ts";
import { listenForTest, pushBlob, pushImage, sha256 } from "../testing/registry-under-test.ts";
import { startS3 } from "../testing/s3-server.ts";
import { openS3Store } from "./s3/s3-store.ts";

blobStoreSuite("a directory", async () => {
  const directory = tempDir("blobs");
  const open = () => openContentStore({ root: directory.path });
  let store = await open();
  return {
    store,
    reopen: async () => {
      await store[Symbol.asyncDispose]();
      store = await open();
      return store;
    },
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
});

blobStoreSuite("an engine's own", async () => {
  const directory = tempDir("engine-content");
  const options = { root: directory.path, clock: systemClock, logger: createLogger({ write: () => {} }) };
  // Layers have nothing to do with blobs: whoever touches them here fails.
  const untouched = new Proxy({}, { get: () => assert.fail() });
  const open = () => Images.open(options as EngineOptions, untouched as Parameters<typeof Images.open>[1]);
  let images = await open();
  return {
    store: images.content,
    reopen: async () => {
      await images[Symbol.asyncDispose]();
      images = await open();
      return images.content;
    },
    [Symbol.asyncDispose]: async () => {
      await images[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
});

blobStoreSuite("a bucket of an S3 server", async () => {
  const directory = tempDir("s3-staging");
  const s3 = await startS3();
  const open = () => openS3Store({ ...s3.options, staging: directory.path });
  let store = await open();
  return {
    store,
    reopen: async () => {
      await store[Symbol.asyncDispose]();
      store = await open();
      return store;
    },
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await s3[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
});

test("a registry keeps its blobs in a bucket, large ones in parts, and says when that is gone", async () => {
  await using s3 = await startS3();
  const { endpoint, accessKeyId, secretAccessKey } = s3.options;
  await using directory = tempDir("s3");
  await using stranger = await openS3Store({ ...s3.options, secretAccessKey: "another", staging: directory.path });
  await assert.rejects(stranger.put(Buffer.from("x")), Unavailable);
  const policy = parseRegistryFile(
    JSON.stringify({ storage: { s3: { endpoint, accessKeyId, secretAccessKey, prefix: "registry/" } } }),
    "f",
  );
  await using under = await listenForTest({ policy });
  const { url, registry } = under;
  await pushImage(url, "app", "v1");
  const large = randomBytes(33 * 1024 * 1024);
  const digest = await pushBlob(url, "app", large);
  const pulled = await fetch(`${url}/app/blobs/${digest}`);
  assert.equal(sha256(Buffer.from(await pulled.arrayBuffer())), digest);
  const part = await fetch(`${url}/app/blobs/${digest}`, { headers: { range: "bytes=33554430-33554439" } });
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), large.subarray(33_554_430, 33_554_440));
  assert.deepEqual((await registry.check()).problems, []);
  let failed = 0;
  s3.fault = ({ method }) => (failed++ % 2 === 0 ? (method === "GET" && failed > 4 ? "cut" : "busy") : undefined);
  const again = await fetch(`${url}/app/blobs/${digest}`);
  assert.equal(sha256(Buffer.from(await again.arrayBuffer())), digest, "what fails once is tried again");
  await pushBlob(url, "app", "pushed meanwhile");
  assert.ok(failed > 4);
  s3.fault = () => "busy";
  await assert.rejects(pushBlob(url, "app", "not now"), /503/);
  s3.fault = () => undefined;
  await pushBlob(url, "app", "not now");
  await s3.stop();
  assert.equal((await fetch(`${url}/app/manifests/v1`)).status, 503);
});
