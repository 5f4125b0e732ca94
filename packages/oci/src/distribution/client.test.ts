import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import {
  BoxshipError,
  InvalidArgument,
  NotFound,
  PermissionDenied,
  ResourceExhausted,
  Unavailable,
} from "@boxship/base";
import {
  type Fault,
  type FaultPlan,
  type FaultyProxy,
  faultyProxy,
  type PushedImage,
  pushFixture,
  REGISTRY_USER,
  startRegistry,
  type TestRegistry,
} from "@boxship/testkit";
import type { ContentStore } from "../content-store/contract.ts";
import { openContentStore } from "../content-store/filesystem.ts";
import type { Descriptor } from "../descriptor.ts";
import { type Digest, digestOf } from "../digest.ts";
import { decodeManifest } from "../manifest.ts";
import { parseReference, type Reference } from "../reference.ts";
import { createRegistryClient, type RegistryClient, type RegistryClientOptions } from "./client.ts";
import { credentialsFor } from "./credentials.ts";

let registry: TestRegistry;
let locked: TestRegistry;
let image: PushedImage;
const noise = randomBytes(3_000_000);

before(async () => {
  [registry, locked] = await Promise.all([startRegistry(), startRegistry({ auth: "htpasswd" })]);
  image = await pushFixture(registry, "team/app:v1", { layers: [{ tar: noise, compression: "none" }] });
  await pushFixture(locked, "private:v1", { layers: [{ entries: [{ name: "a", content: "b" }] }] });
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  await locked[Symbol.asyncDispose]();
});

function client(t: TestContext, options: RegistryClientOptions = {}): RegistryClient {
  const made = createRegistryClient({ retry: { baseMs: 5, maxMs: 20 }, ...options });
  t.after(() => made[Symbol.asyncDispose]());
  return made;
}

async function store(t: TestContext): Promise<ContentStore> {
  const root = await mkdtemp(join(tmpdir(), "boxship-client-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  return openContentStore({ root });
}

async function proxied(t: TestContext, plan: FaultPlan, behind: TestRegistry = registry): Promise<FaultyProxy> {
  const proxy = await faultyProxy(behind, plan);
  t.after(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

function at(host: string, name = "team/app:v1"): Reference {
  return parseReference(`${host}/${name}`);
}

function layerOf(pushed: PushedImage): Descriptor {
  const [layer] = pushed.layers;
  assert.ok(layer);
  return { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: layer.digest as Digest, size: layer.size };
}

/** Asserts an error of the closed set, and returns it. */
async function failure(
  promise: Promise<unknown>,
  kind: abstract new (...args: never[]) => BoxshipError,
): Promise<BoxshipError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof BoxshipError, String(error));
  assert.ok(error instanceof kind, `${error.name}: ${error.message}`);
  return error;
}

test("manifests by tag and by digest, blobs, tags and ping", async (t) => {
  const c = client(t);
  const reference = at(registry.host);
  await c.ping(reference);
  const resolved = await c.resolve(reference);
  assert.equal(resolved.digest, image.manifestDigest);
  const fetched = await c.manifest(reference);
  assert.equal(fetched.digest, image.manifestDigest);
  assert.equal(fetched.bytes.byteLength, resolved.size);
  const manifest = decodeManifest(fetched.bytes, { mediaType: fetched.mediaType });
  assert.ok(manifest.kind === "manifest");
  assert.equal(manifest.config.digest, image.configDigest);
  const again = await c.manifest(at(registry.host, `team/app@${image.manifestDigest}`));
  assert.equal(again.digest, image.manifestDigest);
  const config = await c.readBlob(reference, manifest.config);
  assert.equal(digestOf(config), image.configDigest);
  assert.equal((await c.statBlob(reference, layerOf(image).digest))?.size, noise.length);
  assert.equal(await c.statBlob(reference, digestOf("none")), undefined);
  assert.deepEqual(await c.tags(reference), ["v1"]);
});

test("a blob arrives in the store, with progress", async (t) => {
  const s = await store(t);
  const proxy = await proxied(t, () => ({ kind: "slow", milliseconds: 10 }));
  const seen: number[] = [];
  const descriptor = layerOf(image);
  const onProgress = (bytes: number) => void seen.push(bytes);
  await client(t).fetchBlob({ reference: at(proxy.host), descriptor, store: s, onProgress });
  assert.ok((await readFile(await s.path(descriptor.digest))).equals(noise));
  assert.ok(seen.length > 0 && seen.every((bytes, n) => bytes <= noise.length && bytes >= (seen[n - 1] ?? 0)));
});

test("what is not there is named in Docker's words", async (t) => {
  const c = client(t);
  const unknown = at(registry.host, "team/app:v2");
  const manifest = await failure(c.manifest(unknown), NotFound);
  assert.equal(
    manifest.message,
    `manifest for ${registry.host}/team/app:v2 not found: manifest unknown: manifest unknown`,
  );
  await failure(c.resolve(unknown), NotFound);
  const repository = await failure(c.tags(at(registry.host, "nothing:x")), NotFound);
  assert.match(
    repository.message,
    /^repository .*\/nothing not found: name unknown: repository name not known to registry/,
  );
  const blob = { ...layerOf(image), digest: digestOf("none") };
  const s = await store(t);
  await failure(c.fetchBlob({ reference: unknown, descriptor: blob, store: s }), NotFound);
  assert.deepEqual(await s.usage(), { blobs: 0, blobBytes: 0, ingests: 0, ingestBytes: 0 });
});

test("a registry that is not there is unavailable, and the remedy says what to check", async (t) => {
  const error = await failure(client(t).manifest(at("127.0.0.1:1", "app:1")), Unavailable);
  assert.match(error.message, /^registry 127\.0\.0\.1:1 cannot be reached: connect ECONNREFUSED/);
  assert.match(error.remedy ?? "", /check that a registry listens/);
});

test("htpasswd: refused without, let in with credentials of the client or of the request", async (t) => {
  const reference = at(locked.host, "private:v1");
  const error = await failure(client(t).manifest(reference), PermissionDenied);
  assert.match(
    error.message,
    /^pull access denied for 127.*\/private, repository does not exist or may require 'docker login': unauthorized: authentication required$/,
  );
  const { username, password } = REGISTRY_USER;
  const right = credentialsFor(locked.host, { kind: "password", username, password });
  const wrong = credentialsFor(locked.host, { kind: "password", username, password: "guess" });
  await client(t, { credentials: right }).manifest(reference);
  await failure(client(t, { credentials: wrong }).manifest(reference), PermissionDenied);
  const c = client(t, { credentials: wrong });
  await c.manifest(reference, { credentials: right });
  await failure(c.manifest(reference), PermissionDenied);
  const elsewhere = credentialsFor("other.example", { kind: "password", username, password });
  await failure(client(t, { credentials: elsewhere }).manifest(reference), PermissionDenied);
});

for (const transferHere of [false, true]) {
  test(`a cut connection goes on where it was cut, in ${transferHere ? "this" : "another"} thread`, async (t) => {
    const proxy = await proxied(t, (request) =>
      request.path.includes("/blobs/") && request.earlier < 3 ? { kind: "cut", after: 700_000 } : undefined,
    );
    const s = await store(t);
    const descriptor = layerOf(image);
    await client(t, { transferHere }).fetchBlob({ reference: at(proxy.host), descriptor, store: s });
    assert.ok((await readFile(await s.path(descriptor.digest))).equals(noise));
    const ranges = proxy.requests.filter((r) => r.path.includes("/blobs/")).map((r) => r.headers.range);
    assert.equal(ranges.length, 4);
    assert.deepEqual(
      ranges.map((range) => range !== undefined),
      [false, true, true, true],
    );
    assert.ok(proxy.requests.at(-1)?.headers["if-range"]?.includes(descriptor.digest));
  });
}

test("what arrived is kept for the next call", async (t) => {
  const proxy = await proxied(t, (request) =>
    request.path.includes("/blobs/") ? { kind: "cut", after: 900_000 } : undefined,
  );
  const s = await store(t);
  const request = { reference: at(proxy.host), descriptor: layerOf(image), store: s };
  await failure(client(t, { retry: { attempts: 1 } }).fetchBlob(request), Unavailable);
  const { ingests, ingestBytes } = await s.usage();
  assert.equal(ingests, 1);
  assert.ok(ingestBytes > 0 && ingestBytes <= 900_000);
  proxy.plan = () => undefined;
  await client(t).fetchBlob(request);
  assert.equal(proxy.requests.at(-1)?.headers.range, `bytes=${ingestBytes}-`);
});

test("a server that ignores ranges, or changed its mind, costs only time", async (t) => {
  const proxy = await proxied(t, (request) => {
    if (!request.path.includes("/blobs/")) return undefined;
    return request.earlier === 0 ? { kind: "cut", after: 900_000 } : { kind: "ignore-range" };
  });
  const s = await store(t);
  await client(t).fetchBlob({ reference: at(proxy.host), descriptor: layerOf(image), store: s });
  proxy.plan = (request) => (request.headers.range === undefined ? undefined : { kind: "status", status: 416 });
  await s.delete(layerOf(image).digest);
  {
    await using ingest = await s.ingest({ key: layerOf(image).digest });
    await ingest.write(noise.subarray(0, 1000));
  }
  await client(t).fetchBlob({ reference: at(proxy.host), descriptor: layerOf(image), store: s });
});

test("a damaged beginning from an earlier call is thrown away", async (t) => {
  const s = await store(t);
  {
    await using ingest = await s.ingest({ key: layerOf(image).digest });
    await ingest.write(Buffer.alloc(500_000, "wrong"));
  }
  await client(t).fetchBlob({ reference: at(registry.host), descriptor: layerOf(image), store: s });
  assert.ok((await readFile(await s.path(layerOf(image).digest))).equals(noise));
});

for (const [what, plan] of [
  ["a wrong byte", () => ({ kind: "corrupt", at: 5 })],
  ["too many bytes", () => ({ kind: "resize", by: 10 })],
  ["too few bytes, announced", () => ({ kind: "resize", by: -10 })],
] as const satisfies readonly (readonly [string, FaultPlan])[]) {
  test(`a blob with ${what} is refused and leaves nothing`, async (t) => {
    const proxy = await proxied(t, (request) => (request.path.includes("/blobs/") ? plan() : undefined));
    const s = await store(t);
    const error = await failure(
      client(t).fetchBlob({ reference: at(proxy.host), descriptor: layerOf(image), store: s }),
      InvalidArgument,
    );
    assert.match(error.message, /sent wrong content for blob sha256:/);
    assert.deepEqual(await s.usage(), { blobs: 0, blobBytes: 0, ingests: 0, ingestBytes: 0 });
  });
}

test("a blob that always ends early is unavailable after some tries", async (t) => {
  const proxy = await proxied(t, (request) =>
    request.path.includes("/blobs/") ? { kind: "truncate", after: 0 } : undefined,
  );
  const s = await store(t);
  const request = { reference: at(proxy.host), descriptor: layerOf(image), store: s };
  const error = await failure(client(t, { retry: { attempts: 3, baseMs: 1 } }).fetchBlob(request), Unavailable);
  assert.match(error.message, /ended after 0 of 3000000 bytes/);
  assert.equal(proxy.requests.filter((r) => r.path.includes("/blobs/")).length, 3);
});

test("a connection that stalls is given up and resumed", async (t) => {
  const proxy = await proxied(t, (request) =>
    request.path.includes("/blobs/") && request.earlier === 0 ? { kind: "stall", after: 1_000_000 } : undefined,
  );
  const s = await store(t);
  await client(t, { idleTimeoutMs: 200 }).fetchBlob({
    reference: at(proxy.host),
    descriptor: layerOf(image),
    store: s,
  });
  assert.ok((await s.stat(layerOf(image).digest)) !== undefined);
});

test("5xx is tried again, then unavailable", async (t) => {
  const proxy = await proxied(t, (request) => (request.earlier < 2 ? { kind: "status", status: 500 } : undefined));
  await client(t).manifest(at(proxy.host));
  proxy.plan = () => ({
    kind: "status",
    status: 503,
    body: JSON.stringify({ errors: [{ code: "UNAVAILABLE", message: "down" }] }),
  });
  const error = await failure(client(t, { retry: { attempts: 3, baseMs: 1 } }).manifest(at(proxy.host)), Unavailable);
  assert.match(error.message, /answered 503: unavailable: down/);
});

test("429 is waited for as long as Retry-After says, and named when it stays", async (t) => {
  const limit = { kind: "status", status: 429, headers: { "retry-after": "1" } } as const;
  const proxy = await proxied(t, (request) =>
    request.method === "GET" && request.earlier === 0 && request.path.includes("manifests") ? limit : undefined,
  );
  const start = performance.now();
  await client(t).manifest(at(proxy.host));
  assert.ok(performance.now() - start >= 990);
  proxy.plan = (request) =>
    request.path.includes("manifests") ? { ...limit, headers: { "retry-after": "3600" } } : undefined;
  const error = await failure(client(t).manifest(at(proxy.host)), ResourceExhausted);
  assert.match(error.message, /limits the rate of requests/);
  assert.match(error.remedy ?? "", /wait 3600 s, log in/);
});

test("403 is permission denied in Docker's words", async (t) => {
  const body = JSON.stringify({ errors: [{ code: "DENIED", message: "requested access to the resource is denied" }] });
  const proxy = await proxied(t, () => ({ kind: "status", status: 403, body }));
  const error = await failure(client(t).manifest(at(proxy.host)), PermissionDenied);
  assert.equal(
    error.message,
    `pull access denied for ${proxy.host}/team/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
  );
});

test("what a registry says does not steer the terminal", async (t) => {
  const body = JSON.stringify({ errors: [{ code: "DENIED", message: "\u001b[2Jgone\r\nand \u009b31mred" }] });
  const proxy = await proxied(t, () => ({ kind: "status", status: 403, body }));
  const error = await failure(client(t).manifest(at(proxy.host)), PermissionDenied);
  assert.match(error.message, /: denied:  \[2Jgone {2}and {2}31mred$/);
});

test("a manifest with other bytes than its digest says is refused", async (t) => {
  const proxy = await proxied(t, (request) =>
    request.path.includes("manifests") ? { kind: "corrupt", at: 3 } : undefined,
  );
  const error = await failure(client(t).manifest(at(proxy.host)), InvalidArgument);
  assert.match(error.message, /sent wrong content for the manifest/);
  await failure(client(t).manifest(at(proxy.host, `team/app@${image.manifestDigest}`)), InvalidArgument);
});

test("redirects to another host do not carry the authorization along", async (t) => {
  const elsewhere = await proxied(t, () => undefined);
  const path = `/v2/team/app/blobs/${layerOf(image).digest}`;
  const open = await proxied(t, (request): Fault => {
    if (request.headers.authorization === undefined) {
      return { kind: "status", status: 401, headers: { "www-authenticate": `Basic realm="x"` } };
    }
    if (!request.path.includes("/blobs/")) return { kind: "status", status: 200 };
    return { kind: "status", status: 307, headers: { location: `http://${elsewhere.host}${path}` } };
  });
  const { username, password } = REGISTRY_USER;
  const c = client(t, { credentials: credentialsFor(open.host, { kind: "password", username, password }) });
  await c.fetchBlob({ reference: at(open.host), descriptor: layerOf(image), store: await store(t) });
  assert.equal(elsewhere.requests.length, 1);
  assert.equal(elsewhere.requests[0]?.headers.authorization, undefined);
  open.plan = () => ({ kind: "status", status: 302, headers: { location: "ftp://example/x" } });
  const s = await store(t);
  await failure(c.fetchBlob({ reference: at(open.host), descriptor: layerOf(image), store: s }), PermissionDenied);
  open.plan = () => ({ kind: "status", status: 302, headers: { location: "/v2/round" } });
  await failure(c.manifest(at(open.host)), Unavailable);
});

test("mirrors go first, the registry itself when they cannot", async (t) => {
  const mirror = await proxied(t, () => undefined);
  const origin = await proxied(t, () => undefined);
  const registries = { [origin.host]: { mirrors: ["127.0.0.1:1", `http://${mirror.host}/`] } };
  const c = client(t, { registries });
  const s = await store(t);
  await c.manifest(at(origin.host));
  await c.fetchBlob({ reference: at(origin.host), descriptor: layerOf(image), store: s });
  assert.equal(origin.requests.length, 0);
  assert.ok(mirror.requests.length >= 2);
  mirror.plan = () => ({ kind: "status", status: 404 });
  await c.manifest(at(origin.host));
  assert.ok(origin.requests.length > 0);
  mirror.plan = () => ({ kind: "corrupt", at: 1 });
  await s.delete(layerOf(image).digest);
  await c.fetchBlob({ reference: at(origin.host), descriptor: layerOf(image), store: s });
});

test("a blocked registry is not asked", async (t) => {
  const c = client(t, { registries: { [registry.host]: { blocked: true } } });
  const error = await failure(c.manifest(at(registry.host)), PermissionDenied);
  assert.match(error.message, /is blocked by the configuration/);
});

test("foreign layers are fetched only where that is configured", async (t) => {
  const digest = digestOf("foreign");
  const descriptor: Descriptor = {
    mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    digest,
    size: 7,
    urls: ["http://insecure.example/layer"],
  };
  const s = await store(t);
  const request = { reference: at(registry.host), descriptor, store: s };
  const refused: unknown = await client(t)
    .fetchBlob(request)
    .catch((error: unknown) => error);
  assert.ok(refused instanceof BoxshipError && refused.code === "Unsupported");
  assert.match(refused.message, /only kept by its publisher/);
  const error = await failure(client(t, { foreignLayers: true }).fetchBlob(request), InvalidArgument);
  assert.match(error.message, /not https/);
});

for (const transferHere of [false, true]) {
  test(`an aborted fetch ends at once, keeps what came, and leaves nothing running, in ${transferHere ? "this" : "another"} thread`, async (t) => {
    const proxy = await proxied(t, (request) =>
      request.path.includes("/blobs/") ? { kind: "slow", milliseconds: 50 } : undefined,
    );
    const s = await store(t);
    const controller = new AbortController();
    const reason = new Error("enough");
    const onProgress = (bytes: number) => {
      if (bytes > 0) controller.abort(reason);
    };
    const request = {
      reference: at(proxy.host),
      descriptor: layerOf(image),
      store: s,
      onProgress,
      signal: controller.signal,
    };
    await assert.rejects(client(t, { transferHere }).fetchBlob(request), (error) => error === reason);
    assert.equal((await s.usage()).ingests, 1);
    await assert.rejects(
      client(t).manifest(at(proxy.host), { signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
  });
}

test("tags come in pages", async (t) => {
  const proxy = await proxied(t, (request) => {
    if (!request.path.includes("tags/list")) return undefined;
    const body = (tags: readonly string[]) => JSON.stringify({ name: "team/app", tags });
    const next = { link: `</v2/team/app/tags/list?n=1000&last=b>; rel="next"` };
    return request.path.includes("last=b")
      ? { kind: "status", status: 200, body: body(["c"]) }
      : { kind: "status", status: 200, headers: next, body: body(["a", "b"]) };
  });
  assert.deepEqual(await client(t).tags(at(proxy.host)), ["a", "b", "c"]);
});
