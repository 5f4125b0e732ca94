import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { InvalidArgument, PermissionDenied, ResourceExhausted, Unavailable } from "@boxship/base";
import {
  type FaultPlan,
  faultyProxy,
  makeTar,
  pushFixture,
  REGISTRY_USER,
  runProgram,
  startRegistry,
  type TestRegistry,
} from "@boxship/testkit";
import { createRegistryClient, type RegistryClientOptions } from "../distribution/client.ts";
import { credentialsFor } from "../distribution/credentials.ts";
import { endImageArchiveWorkers } from "../image-archive/read-archive.ts";
import { type ImageBench, imageBench } from "../image-archive/testing.ts";
import type { ImageRecord } from "../image-store/contract.ts";
import { endMakeLayerWorkers } from "../layer/make/make-layer.ts";
import { MediaType } from "../media-types.ts";
import { pullImage } from "../pull/pull-image.ts";
import { parseReference } from "../reference.ts";
import { type PushLayerEvent, type PushRequest, pushImage } from "./push-image.ts";

let registry: TestRegistry;
let bench: ImageBench;
let image: ImageRecord;

before(async () => {
  // So that uploads go on through the proxy that damages them.
  registry = await startRegistry({ environment: { REGISTRY_HTTP_RELATIVEURLS: "true" } });
  bench = await imageBench();
  const random = () => randomBytes(500_000).toString("hex");
  image = await bench.image(["app:1"], [random(), "small", random()]);
});

after(async () => {
  await bench[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await endImageArchiveWorkers();
  await endMakeLayerWorkers();
});

async function push(
  name: string,
  options: RegistryClientOptions & Pick<PushRequest, "mountFrom" | "signal" | "compress"> = {},
  record = image,
): Promise<{ readonly events: readonly PushLayerEvent[]; readonly result: Awaited<ReturnType<typeof pushImage>> }> {
  const { mountFrom, signal, compress, ...client } = options;
  await using registryClient = createRegistryClient({ retry: { baseMs: 5, maxMs: 20 }, ...client });
  using lease = bench.store.lease();
  const events: PushLayerEvent[] = [];
  const result = await pushImage({
    client: registryClient,
    store: bench.store,
    lease,
    reference: parseReference(name),
    manifest: record.manifest,
    mountFrom,
    signal,
    compress,
    onProgress: (event) => events.push(event),
  });
  return { events, result };
}

const last = (events: readonly PushLayerEvent[], index: number) =>
  events.filter((event) => event.index === index).at(-1)?.status;

/** What is in the registry, checked by pulling all of it into a store of its own. */
async function pulled(name: string, record = image): Promise<void> {
  await using other = await imageBench();
  await using client = createRegistryClient();
  using lease = other.store.lease();
  const request = {
    client,
    store: other.store,
    lease,
    reference: parseReference(name),
    unpackLayer: other.unpackLayer,
  };
  const { id, layers } = await pullImage(request);
  assert.equal(id, record.id);
  assert.equal(layers.length, record.config.rootfs.diff_ids.length);
}

describe("against Docker's own registry", () => {
  test("pushed, pulled back, and pushed again without sending anything", async () => {
    const name = `${registry.host}/plain/app:1`;
    const { events, result } = await push(name);
    assert.deepEqual(
      events.slice(0, 3).map(({ index, status }) => [index, status]),
      [
        [2, "Preparing"],
        [1, "Preparing"],
        [0, "Preparing"],
      ],
    );
    assert.deepEqual(
      [0, 1, 2].map((index) => last(events, index)),
      ["Pushed", "Pushed", "Pushed"],
    );
    assert.equal(result.manifest.digest, image.manifest.digest);
    await pulled(name);
    const { stdout } = await runProgram(["skopeo", "inspect", "--tls-verify=false", `docker://${name}`]);
    assert.equal((JSON.parse(stdout) as { Digest: string }).Digest, image.manifest.digest);
    const again = await push(name);
    assert.deepEqual(
      [0, 1, 2].map((index) => last(again.events, index)),
      Array.from({ length: 3 }, () => "Layer already exists"),
    );
  });

  test("blobs of a repository next door are mounted", async () => {
    await push(`${registry.host}/mounts/from:1`);
    const from = parseReference(`${registry.host}/mounts/from`);
    await using proxy = await faultyProxy(registry, () => undefined);
    // The proxy's name stands for the same registry.
    const { events } = await push(`${proxy.host}/mounts/to:1`, { mountFrom: () => [from] });
    assert.deepEqual(
      [0, 1, 2].map((index) => last(events, index)),
      ["Mounted from", "Mounted from", "Mounted from"],
    );
    assert.ok(proxy.requests.every(({ method, path }) => method !== "PATCH" && !/uploads\/.*digest=/.test(path)));
    await pulled(`${registry.host}/mounts/to:1`);
    // Where nothing can be mounted from the blobs are sent.
    const nowhere = parseReference(`${registry.host}/mounts/nowhere`);
    const sent = await push(`${registry.host}/mounts/sent:1`, { mountFrom: () => [nowhere] });
    assert.equal(last(sent.events, 0), "Pushed");
  });

  test("large blobs go in pieces, and come together", async () => {
    const { events } = await push(`${registry.host}/pieces/app:1`, { uploadChunkBytes: 100_000 });
    assert.equal(last(events, 2), "Pushed");
    await pulled(`${registry.host}/pieces/app:1`);
  });

  test("plain layers are compressed when asked for, and the image stays the same", async () => {
    using lease = bench.store.lease();
    const tar = makeTar([{ name: "text", content: "text ".repeat(100_000) }]);
    const blob = await bench.store.put(tar);
    const plain = await bench.images.addFromLayers({
      config: { os: "linux", architecture: "amd64" },
      layers: [{ descriptor: { mediaType: MediaType.OciLayer, ...blob }, diffId: blob.digest }],
      size: tar.length,
      lease,
    });
    const name = `${registry.host}/compressed/app:1`;
    const { result } = await push(name, { compress: true }, plain);
    assert.equal(result.layers[0]?.mediaType, MediaType.OciLayerGzip);
    assert.ok((result.layers[0]?.size ?? 0) < tar.length / 10);
    assert.notEqual(result.manifest.digest, plain.manifest.digest);
    await pulled(name, plain);
    const asIs = await push(`${registry.host}/compressed/plain:1`, {}, plain);
    assert.equal(asIs.result.manifest.digest, plain.manifest.digest);
  });

  test("Docker's media types stay", async () => {
    const { reference } = await pushFixture(
      registry,
      "docker/app:1",
      { layers: [{ entries: [{ name: "a", content: "b" }] }] },
      { format: "docker" },
    );
    await using client = createRegistryClient();
    using lease = bench.store.lease();
    const { manifest } = await pullImage({ client, store: bench.store, lease, reference: parseReference(reference) });
    const record = await bench.images.add({ manifest, size: 1 });
    const { result } = await push(`${registry.host}/docker/copy:2`, {}, record);
    assert.equal(result.manifest.mediaType, MediaType.DockerManifest);
    assert.equal(result.manifest.digest, manifest.digest);
    await pulled(`${registry.host}/docker/copy:2`, record);
  });

  test("with and without an account", async () => {
    await using locked = await startRegistry({ auth: "htpasswd" });
    const name = `${locked.host}/locked/app:1`;
    await assert.rejects(push(name), (error) => {
      assert.ok(error instanceof PermissionDenied);
      assert.match(error.message, /push access denied for .*unauthorized/);
      return true;
    });
    const { username } = REGISTRY_USER;
    const wrong = credentialsFor(locked.host, { kind: "password", username, password: "no" });
    await assert.rejects(push(name, { credentials: wrong }), PermissionDenied);
    const credentials = credentialsFor(locked.host, { kind: "password", ...REGISTRY_USER });
    assert.equal(last((await push(name, { credentials })).events, 0), "Pushed");
  });
});

describe("bad luck on the way", () => {
  const through = async (plan: FaultPlan, options: Parameters<typeof push>[1] = {}) => {
    await using proxy = await faultyProxy(registry, plan);
    const name = `faulty-${randomBytes(6).toString("hex")}/app:1`;
    const pushed = await push(`${proxy.host}/${name}`, options);
    await pulled(`${registry.host}/${name}`);
    return { ...pushed, requests: proxy.requests };
  };
  /** A repository of its own, so that no blob is there yet. */
  const failing = async (plan: FaultPlan, options: Parameters<typeof push>[1] = {}) => {
    await using proxy = await faultyProxy(registry, plan);
    return await push(`${proxy.host}/fresh-${randomBytes(6).toString("hex")}/app:1`, options);
  };

  test("registries in trouble are asked again, when they say", async () => {
    const busy = { kind: "status" as const, status: 503, headers: { "retry-after": "0" } };
    const { requests } = await through(({ method, earlier }) => (earlier === 0 && method !== "GET" ? busy : undefined));
    assert.ok(requests.some(({ method }) => method === "PUT"));
    await assert.rejects(
      failing(({ method }) => (method === "PUT" ? { kind: "status", status: 500 } : undefined)),
      (error) => error instanceof Unavailable && /answered 500/.test(error.message),
    );
    await assert.rejects(
      failing(({ method }) => (method === "POST" ? { kind: "status", status: 429 } : undefined)),
      ResourceExhausted,
    );
  });

  test("refusals at any step are errors that name the repository", async () => {
    for (const method of ["HEAD", "POST", "PUT"]) {
      const denied = { kind: "status" as const, status: 403, body: '{"errors":[{"code":"DENIED","message":"no"}]}' };
      await assert.rejects(
        failing((request) => (request.method === method ? denied : undefined)),
        (error) => error instanceof PermissionDenied && /push access denied for .*fresh-/.test(error.message),
        method,
      );
    }
  });

  test("cut answers: what arrived counts, what did not is sent again", async () => {
    const cut = { kind: "cut" as const, after: 0 };
    let asked = 0;
    const plan: FaultPlan = ({ method }) => (method !== "HEAD" && ++asked % 9 === 4 ? cut : undefined);
    const { events, requests } = await through(plan, { uploadChunkBytes: 200_000 });
    assert.ok(requests.some(({ method }) => method === "PATCH"));
    assert.ok([0, 1, 2].every((index) => ["Pushed", "Layer already exists"].includes(last(events, index) ?? "")));
  });

  test("a registry that finds other content than was promised", async () => {
    const invalid = {
      kind: "status" as const,
      status: 400,
      body: '{"errors":[{"code":"DIGEST_INVALID","message":"x"}]}',
    };
    await assert.rejects(
      failing(({ method, path }) => (method === "PUT" && path.includes("digest=") ? invalid : undefined)),
      (error) => error instanceof InvalidArgument && /refuses blob sha256:.*digest invalid/.test(error.message),
    );
    const other = {
      kind: "status" as const,
      status: 201,
      headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` },
    };
    await assert.rejects(
      failing(({ method, path }) => (method === "PUT" && path.includes("/manifests/") ? other : undefined)),
      (error) => error instanceof InvalidArgument && /stored another manifest/.test(error.message),
    );
  });

  test("a push that is called off stops", async () => {
    const stop = new AbortController();
    const plan: FaultPlan = ({ method }) => {
      if (method === "PUT") setTimeout(() => stop.abort(new Error("enough")), 20);
      return method === "PUT" ? { kind: "stall", after: 0 } : undefined;
    };
    await assert.rejects(failing(plan, { signal: stop.signal }), /enough/);
  });
});

/** A registry that keeps what arrived of a piece that was cut, as the specification wants and Docker's does not. */
async function resumingRegistry(cutAfter: number) {
  const blobs = new Map<string, Buffer>();
  const uploads = new Map<string, Buffer>();
  const received: number[] = [];
  let cuts = 0;
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://registry");
    const upload = /\/uploads\/(\w+)$/.exec(url.pathname)?.[1] ?? "";
    const reply = (status: number, headers: Record<string, string> = {}) => response.writeHead(status, headers).end();
    const place = (id: string) => ({
      location: `/v2/r/blobs/uploads/${id}`,
      range: `0-${(uploads.get(id)?.length ?? 0) - 1}`,
    });
    if (url.pathname === "/v2/") return void reply(200);
    if (request.method === "HEAD") {
      const found = blobs.get(url.pathname.split("/").at(-1) ?? "");
      return void (found === undefined ? reply(404) : reply(200, { "content-length": String(found.length) }));
    }
    if (request.method === "POST") {
      const id = `u${uploads.size}`;
      uploads.set(id, Buffer.alloc(0));
      return void reply(202, place(id));
    }
    if (url.pathname.includes("/manifests/")) return void (await buffer(request), reply(201));
    if (request.method === "GET") return void reply(204, place(upload));
    const start = Number(/^(\d+)-/.exec(String(request.headers["content-range"]))?.[1] ?? uploads.get(upload)?.length);
    if (start !== uploads.get(upload)?.length) return void reply(416, place(upload));
    for await (const piece of request as AsyncIterable<Buffer>) {
      received.push(piece.length);
      uploads.set(upload, Buffer.concat([uploads.get(upload) ?? Buffer.alloc(0), piece]));
      if (cuts < 2 && (uploads.get(upload)?.length ?? 0) > cutAfter * (cuts + 1)) {
        cuts++;
        return void request.socket.resetAndDestroy();
      }
    }
    if (request.method === "PATCH") return void reply(202, place(upload));
    const bytes = uploads.get(upload) ?? Buffer.alloc(0);
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    if (digest !== url.searchParams.get("digest")) return void reply(400);
    blobs.set(digest, bytes);
    reply(201);
  };
  const server = http.createServer(
    (request, response) => void serve(request, response).catch(() => response.destroy()),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    blobs,
    received,
    cuts: () => cuts,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("an upload that is cut goes on where it was", async () => {
  await using server = await resumingRegistry(2_000_000);
  await using client = createRegistryClient({ retry: { baseMs: 5, maxMs: 20 }, uploadChunkBytes: 3_000_000 });
  const content = randomBytes(8_000_000);
  const blob = await bench.store.put(content);
  const descriptor = { mediaType: MediaType.OciLayer, ...blob };
  const reference = parseReference(`${server.host}/r`);
  const progress: number[] = [];
  const onProgress = (bytes: number) => progress.push(bytes);
  assert.deepEqual(await client.pushBlob({ reference, descriptor, store: bench.store, onProgress }), {
    kind: "pushed",
  });
  assert.equal(server.cuts(), 2);
  assert.ok(server.blobs.get(blob.digest)?.equals(content));
  const total = server.received.reduce((sum, length) => sum + length, 0);
  assert.equal(total, content.length, "nothing was sent twice");
  assert.equal(progress.at(-1), content.length);
  assert.deepEqual(await client.pushBlob({ reference, descriptor, store: bench.store }), { kind: "exists" });
});

test("a registry that keeps nothing, or forgets what it had, is given up", async () => {
  const blob = await bench.store.put(randomBytes(3_000_000));
  const descriptor = { mediaType: MediaType.OciLayer, ...blob };
  const said = ["0-0", "0-499999", "0-999999,0-0", "0-99999999"];
  for (const ranges of said) {
    let pieces = 0;
    const server = http.createServer((request, response) => {
      request.resume();
      if (request.method === "HEAD") return void response.writeHead(404).end();
      const places = ranges.split(",");
      const range = request.method === "PATCH" ? { range: places[pieces++ % places.length] } : {};
      // Ends the test where the client would not.
      const status = pieces > 50 ? 418 : 202;
      const headers = { location: "/v2/r/blobs/uploads/u", ...range };
      request.on("end", () => response.writeHead(status, headers).end());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      await using client = createRegistryClient({ retry: { baseMs: 5, maxMs: 20 }, uploadChunkBytes: 1_000_000 });
      const reference = parseReference(`127.0.0.1:${(server.address() as AddressInfo).port}/r`);
      const pushed = client.pushBlob({ reference, descriptor, store: bench.store });
      await assert.rejects(pushed, (error: unknown) => error instanceof Unavailable, ranges);
      assert.ok(pieces <= 12, `${ranges}: ${pieces} pieces`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }
});
