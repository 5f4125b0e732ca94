import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { BoxshipError, InvalidArgument, NotFound, ResourceExhausted, Unsupported } from "@boxship/base";
import { mount, UnmountFlag, unmount } from "@boxship/kernel";
import {
  faultyProxy,
  type PushedImage,
  pushFixture,
  pushIndexFixture,
  startRegistry,
  type TestRegistry,
} from "@boxship/testkit";
import type { ContentStore } from "../content-store/contract.ts";
import { openContentStore } from "../content-store/filesystem.ts";
import { type Digest, digestOf } from "../digest.ts";
import { createRegistryClient, type RegistryClient } from "../distribution/client.ts";
import { unpackLayer } from "../layer/unpack.ts";
import { parsePlatform } from "../platform.ts";
import { parseReference } from "../reference.ts";
import type { LayerToUnpack, UnpackLayer } from "./layer-pull.ts";
import type { PullEvent } from "./progress.ts";
import { type PulledImage, type PullRequest, pullImage } from "./pull-image.ts";
import { sharedDownload } from "./shared-download.ts";

let registry: TestRegistry;
let image: PushedImage;
const LAYERS = 5;

before(async () => {
  registry = await startRegistry();
  const compressions = ["gzip", "zstd", "none"] as const;
  const layers = Array.from({ length: LAYERS }, (_, n) => ({
    entries: [
      { name: "data", type: "directory" as const },
      { name: `data/${n}`, content: randomBytes(400_000) },
      { name: "data/top", content: `layer ${n}` },
    ],
    compression: compressions[n % compressions.length] ?? "gzip",
  }));
  image = await pushFixture(registry, "app:v1", { layers, config: { Cmd: ["run"] } });
});

after(() => registry[Symbol.asyncDispose]());

interface Bench {
  readonly client: RegistryClient;
  readonly store: ContentStore;
  readonly directory: string;
  /** Chain ids in the order in which their unpacking was started. */
  readonly unpacked: Digest[];
  readonly unpack: UnpackLayer;
  readonly events: PullEvent[];
  pull(name: string, options?: Partial<PullRequest>): Promise<PulledImage>;
}

async function bench(t: TestContext): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), "boxship-pull-"));
  const client = createRegistryClient({ retry: { baseMs: 5, maxMs: 20 } });
  t.after(async () => {
    await client[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });
  const store = await openContentStore({ root: join(directory, "content") });
  const unpacked: Digest[] = [];
  const events: PullEvent[] = [];
  const unpack = async (layer: LayerToUnpack) => {
    unpacked.push(layer.chainId);
    const targetDirectory = await mkdtemp(join(directory, "layer-"));
    const { mediaType } = layer.descriptor;
    return unpackLayer({ ...layer, mediaType, targetDirectory, onProgress: ({ bytes }) => layer.onProgress(bytes) });
  };
  const pull = async (name: string, options: Partial<PullRequest> = {}) => {
    using lease = store.lease();
    return pullImage({
      client,
      store,
      reference: parseReference(name.includes("/") ? name : `${registry.host}/${name}`),
      lease,
      unpackLayer: unpack,
      onProgress: (event) => void events.push(event),
      ...options,
    });
  };
  return { client, store, directory, unpacked, unpack, events, pull };
}

function statuses(events: readonly PullEvent[], digest: string): readonly string[] {
  const all = events.flatMap((e) => (e.kind === "layer" && e.digest === digest ? [e.status] : []));
  return all.filter((status, n) => status !== all[n - 1]);
}

test("an image is pulled, verified and unpacked, bottom layer first", async (t) => {
  const b = await bench(t);
  const pulled = await b.pull("app:v1");
  assert.equal(pulled.id, image.configDigest);
  assert.equal(pulled.root.digest, image.manifestDigest);
  assert.deepEqual(pulled.config.config?.Cmd, ["run"]);
  assert.deepEqual(
    pulled.layers.map((layer) => layer.diffId),
    image.layers.map((layer) => layer.diffId),
  );
  assert.ok(pulled.layers.every((layer) => (layer.size ?? 0) >= 400_000));
  assert.deepEqual(
    b.unpacked,
    pulled.layers.map((layer) => layer.chainId),
  );
  const usage = await b.store.usage();
  assert.deepEqual([usage.blobs, usage.ingests], [LAYERS + 2, 0]);
  assert.equal(usage.blobBytes, pulled.contentSize);
  const tops = (await readdir(b.directory)).filter((name) => name.startsWith("layer-"));
  const contents = await Promise.all(tops.map((name) => readFile(join(b.directory, name, "data", "top"), "utf8")));
  assert.deepEqual(contents.sort(), ["layer 0", "layer 1", "layer 2", "layer 3", "layer 4"]);
});

test("what happens to a layer is told in Docker's words and order", async (t) => {
  const b = await bench(t);
  await b.pull("app:v1", { concurrentDownloads: 1 });
  const order = ["Pulling fs layer", "Waiting", "Downloading", "Verifying Checksum", "Download complete", "Extracting"];
  const waited = image.layers.filter(({ digest }) => statuses(b.events, digest).includes("Waiting"));
  assert.equal(waited.length, image.layers.length - 1, "all but the one that came first");
  for (const layer of image.layers) {
    const seen = statuses(b.events, layer.digest);
    assert.equal(seen[0], "Pulling fs layer");
    assert.equal(seen.at(-1), "Pull complete");
    const ranks = seen.slice(0, -1).map((status) => order.indexOf(status));
    assert.ok(
      ranks.every((rank, i) => rank > (ranks[i - 1] ?? -1)),
      seen.join(", "),
    );
  }
  assert.equal(b.events[0]?.kind, "pulling");
  assert.deepEqual(b.events.at(-1), { kind: "digest", digest: image.manifestDigest });
});

test("what is there is neither fetched nor unpacked again", async (t) => {
  const b = await bench(t);
  await using proxy = await faultyProxy(registry, () => undefined);
  await b.pull(`${proxy.host}/app:v1`);
  const asked = proxy.requests.length;
  b.events.length = 0;
  const again = await b.pull(`${proxy.host}/app:v1`, { isUnpacked: (chainId) => b.unpacked.includes(chainId) });
  assert.deepEqual(
    proxy.requests.slice(asked).map((r) => `${r.method} ${r.path}`),
    ["HEAD /v2/app/manifests/v1"],
  );
  assert.equal(b.unpacked.length, LAYERS);
  assert.ok(again.layers.every((layer) => layer.size === undefined));
  assert.deepEqual(statuses(b.events, image.layers[0]?.digest ?? ""), ["Already exists"]);
  await b.pull(`${proxy.host}/app@${image.manifestDigest}`);
  assert.equal(proxy.requests.length, asked + 1);
  assert.equal(b.unpacked.length, 2 * LAYERS, "blobs that are there are unpacked if their files are not");
});

test("pulls at the same time fetch each blob once", async (t) => {
  const b = await bench(t);
  await using proxy = await faultyProxy(registry, (r) =>
    r.path.includes("/blobs/") ? { kind: "slow", milliseconds: 5 } : undefined,
  );
  await Promise.all([1, 2, 3].map(() => b.pull(`${proxy.host}/app:v1`)));
  for (const layer of image.layers) {
    assert.equal(proxy.requests.filter((r) => r.path.endsWith(layer.digest)).length, 1);
  }
  assert.equal(b.unpacked.length, 3 * LAYERS);
});

test("a blob that came while its download waited for its turn is not fetched again", async (t) => {
  const b = await bench(t);
  await b.pull("app:v1");
  await using proxy = await faultyProxy(registry, () => undefined);
  const reference = parseReference(`${proxy.host}/app:v1`);
  const { layers } = await b.pull(`${proxy.host}/app:v1`);
  const asked = proxy.requests.length;
  for (const { descriptor } of layers) {
    const download = sharedDownload({ client: b.client, store: b.store, reference, descriptor });
    const blob = await download.join(() => {}, new AbortController().signal);
    assert.deepEqual(blob, await b.store.stat(descriptor.digest));
    assert.equal(download.lost, false);
  }
  assert.equal(proxy.requests.length, asked);
});

test("one of two pulls may be given up without harm to the other", async (t) => {
  const b = await bench(t);
  await using proxy = await faultyProxy(registry, (r) =>
    r.path.includes("/blobs/") ? { kind: "slow", milliseconds: 20 } : undefined,
  );
  const controller = new AbortController();
  const first = b.pull(`${proxy.host}/app:v1`, {
    signal: controller.signal,
    onProgress: (event) => {
      if (event.kind === "layer" && event.status === "Downloading") controller.abort(new Error("enough"));
    },
  });
  const second = b.pull(`${proxy.host}/app:v1`);
  await assert.rejects(first, /enough/);
  assert.equal((await second).id, image.configDigest);
});

test("an aborted pull leaves nothing running, and the next goes on", async (t) => {
  const b = await bench(t);
  await using proxy = await faultyProxy(registry, (r) =>
    r.path.includes("/blobs/") ? { kind: "slow", milliseconds: 20 } : undefined,
  );
  const controller = new AbortController();
  const onProgress = (event: PullEvent) => {
    if (event.kind === "layer" && (event.current ?? 0) > 0) controller.abort(new Error("enough"));
  };
  await assert.rejects(b.pull(`${proxy.host}/app:v1`, { signal: controller.signal, onProgress }), /enough/);
  const asked = proxy.requests.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(proxy.requests.length, asked);
  assert.ok((await b.store.usage()).ingests > 0);
  await b.pull(`${proxy.host}/app:v1`);
  assert.equal((await b.store.usage()).ingests, 0);
});

test("connections that are cut do not disturb the unpacking that follows the download", async (t) => {
  const b = await bench(t);
  await using proxy = await faultyProxy(registry, (r) =>
    r.path.includes("/blobs/") && r.earlier < 2 ? { kind: "cut", after: 100_000 } : undefined,
  );
  const follows: boolean[] = [];
  const unpack: UnpackLayer = (layer) => {
    follows.push(layer.follow !== undefined);
    return b.unpack(layer);
  };
  assert.equal((await b.pull(`${proxy.host}/app:v1`, { unpackLayer: unpack })).id, image.configDigest);
  assert.ok(follows.includes(true));
});

test("a layer that is damaged on the way ends the pull; the next one repairs it", async (t) => {
  const b = await bench(t);
  const bad = image.layers[2]?.digest ?? "";
  await using proxy = await faultyProxy(registry, (r) =>
    r.path.endsWith(bad) ? { kind: "corrupt", at: 200_000 } : undefined,
  );
  await assert.rejects(b.pull(`${proxy.host}/app:v1`), InvalidArgument);
  assert.equal(await b.store.stat(bad as Digest), undefined);
  proxy.plan = () => undefined;
  await b.pull(`${proxy.host}/app:v1`);
});

test("a layer with another content than its diff id says is refused", async (t) => {
  const b = await bench(t);
  const wrong: UnpackLayer = (layer) =>
    b.unpack(layer.index === 1 ? { ...layer, diffId: digestOf("something else") } : layer);
  await assert.rejects(b.pull("app:v1", { unpackLayer: wrong }), /has the diff id/);
});

test("unpacking that fails ends the pull with its error", async (t) => {
  const b = await bench(t);
  const failing: UnpackLayer = (layer) =>
    layer.index === 0 ? Promise.reject(new InvalidArgument("no such luck")) : b.unpack(layer);
  await assert.rejects(b.pull("app:v1", { unpackLayer: failing }), /no such luck/);
});

test("only layers are fetched when nobody unpacks", async (t) => {
  const b = await bench(t);
  const pulled = await b.pull("app:v1", { unpackLayer: undefined });
  assert.ok(pulled.layers.every((layer) => layer.size === undefined));
  assert.equal((await b.store.usage()).blobs, LAYERS + 2);
});

test("the image of an index is the one for the platform", async (t) => {
  const b = await bench(t);
  const layer = (content: string) => ({ entries: [{ name: "arch", content }] });
  const index = await pushIndexFixture(registry, "multi:1", [
    { layers: [layer("arm")], architecture: "arm64" },
    { layers: [layer("amd")], architecture: "amd64" },
    { layers: [layer("v7")], architecture: "arm", variant: "v7" },
  ]);
  const ids = index.images.map((i) => i.configDigest);
  const pulled = await b.pull("multi:1", { platform: parsePlatform("linux/arm64") });
  assert.equal(pulled.id, ids[0]);
  assert.equal(pulled.root.digest, index.indexDigest);
  assert.equal(pulled.manifest.digest, index.images[0]?.manifestDigest);
  assert.deepEqual(
    pulled.indexes.map((i) => i.digest),
    [index.indexDigest],
  );
  assert.equal((await b.pull("multi:1", { platform: parsePlatform("linux/amd64") })).id, ids[1]);
  assert.equal((await b.pull("multi:1", { platform: parsePlatform("linux/arm/v8") })).id, ids[2]);
  await assert.rejects(b.pull("multi:1", { platform: parsePlatform("linux/s390x") }), (error: unknown) => {
    assert.ok(error instanceof NotFound);
    return error.message === "no matching manifest for linux/s390x in the manifest list entries";
  });
});

test("a single image for another platform is taken with a warning, unless a platform was asked for", async (t) => {
  const b = await bench(t);
  await pushFixture(registry, "foreign:1", { layers: [{ entries: [{ name: "a" }] }], architecture: "riscv64" });
  await b.pull("foreign:1");
  assert.ok(b.events.some((event) => event.kind === "platform-mismatch" && event.actual.architecture === "riscv64"));
  await assert.rejects(
    b.pull("foreign:1", { platform: parsePlatform("linux/amd64") }),
    /was found but does not match the specified platform: wanted linux\/amd64, actual: linux\/riscv64/,
  );
});

test("Docker's media types, images without layers, and the same layer twice", async (t) => {
  const b = await bench(t);
  const same = { entries: [{ name: "a", content: "b" }] };
  await pushFixture(registry, "docker:1", { layers: [same, same, { entries: [{ name: "c" }] }] }, { format: "docker" });
  const pulled = await b.pull("docker:1");
  assert.match(pulled.manifest.mediaType, /docker\.distribution\.manifest\.v2/);
  assert.equal(pulled.layers.length, 3);
  assert.equal(pulled.layers[0]?.diffId, pulled.layers[1]?.diffId);
});

/** A registry answer for the manifest of `app:v1`, made up. */
function manifestPlan(document: unknown, mediaType = "application/vnd.oci.image.manifest.v1+json") {
  const body = JSON.stringify(document);
  return (request: { readonly path: string }) =>
    request.path.includes("/manifests/")
      ? ({
          kind: "status",
          status: 200,
          headers: {
            "content-type": mediaType,
            "docker-content-digest": digestOf(body),
            "content-length": String(body.length),
          },
          body,
        } as const)
      : undefined;
}

test("artifacts, schema 1 and manifests that do not fit their configuration are refused by name", async (t) => {
  const b = await bench(t);
  await using proxy = await faultyProxy(registry, () => undefined);
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest: image.configDigest, size: 0 };
  const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: digestOf("x"), size: 1 };
  const manifest = { schemaVersion: 2, config, layers: [layer] };
  const refusal = async (plan: typeof proxy.plan) => {
    proxy.plan = plan;
    const error: unknown = await b.pull(`${proxy.host}/app:v1`).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof BoxshipError, String(error));
    return error;
  };
  const artifact = { ...manifest, config: { ...config, mediaType: "application/vnd.cncf.helm.config.v1+json" } };
  assert.match((await refusal(manifestPlan(artifact))).message, /no container image: its content is of type .*helm/);
  const encrypted = {
    ...manifest,
    layers: [{ ...layer, mediaType: "application/vnd.oci.image.layer.v1.tar+encrypted" }],
  };
  assert.ok((await refusal(manifestPlan(encrypted))) instanceof Unsupported);
  const schema1 = { schemaVersion: 1, name: "app", tag: "v1", fsLayers: [] };
  const signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
  assert.match((await refusal(manifestPlan(schema1, signed))).message, /schema 1, which is not supported/);
  const size = (
    await b.client.readBlob(parseReference(`${registry.host}/app:v1`), {
      mediaType: config.mediaType,
      digest: image.configDigest as Digest,
      size: Number(
        (
          await b.client.statBlob(parseReference(`${registry.host}/app:v1`), image.configDigest as Digest)
        )?.size,
      ),
    })
  ).byteLength;
  const short = { ...manifest, config: { ...config, size } };
  assert.match(
    (await refusal(manifestPlan(short))).message,
    /its manifest has 1 layers, its configuration has 5 diff ids/,
  );
  assert.match((await refusal(manifestPlan(manifest))).message, /has \d+ bytes, the manifest says 0/);
});

test("a sweep during a pull takes nothing that the pull needs", async (t) => {
  const b = await bench(t);
  const state = { done: false };
  const sweeping = (async () => {
    let rounds = 0;
    while (!state.done) {
      await b.store.sweep(() => false);
      rounds++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return rounds;
  })();
  using lease = b.store.lease();
  await b.pull("app:v1", { lease });
  state.done = true;
  assert.ok((await sweeping) > 0);
  assert.equal((await b.store.usage()).blobs, LAYERS + 2);
});

test("a full disk ends the pull with a remedy and gives back what it had taken", async (t) => {
  const b = await bench(t);
  const root = await mkdtemp(join(tmpdir(), "boxship-pull-full-"));
  mount({ source: "tmpfs", target: root, type: "tmpfs", data: "size=1m" });
  t.after(async () => {
    unmount(root, UnmountFlag.Detach);
    await rm(root, { recursive: true });
  });
  const small = await openContentStore({ root });
  await assert.rejects(b.pull("app:v1", { store: small, unpackLayer: undefined }), (error: unknown) => {
    assert.ok(error instanceof ResourceExhausted);
    return error.message.startsWith("no space left") && error.remedy !== undefined;
  });
  assert.equal((await small.usage()).ingestBytes, 0);
});

test("a pull that is killed leaves only whole blobs, and the next one goes on", async (t) => {
  const b = await bench(t);
  await using proxy = await faultyProxy(registry, (r) =>
    r.path.includes("/blobs/") ? { kind: "slow", milliseconds: 40 } : undefined,
  );
  const script = `
    import { openContentStore } from ${JSON.stringify(import.meta.resolve("../content-store/filesystem.ts"))};
    import { createRegistryClient } from ${JSON.stringify(import.meta.resolve("../distribution/client.ts"))};
    import { pullImage } from ${JSON.stringify(import.meta.resolve("./pull-image.ts"))};
    import { parseReference } from ${JSON.stringify(import.meta.resolve("../reference.ts"))};
    const store = await openContentStore({ root: ${JSON.stringify(join(b.directory, "content"))} });
    const client = createRegistryClient();
    const reference = parseReference("${proxy.host}/app:v1");
    console.log("start");
    await pullImage({ client, store, reference, lease: store.lease() });
    process.exit();`;
  const file = join(b.directory, "pull.mjs");
  await writeFile(file, script);
  const options = ["--disable-warning=ExperimentalWarning", file];
  const isBlob = ({ path }: { readonly path: string }) => image.layers.some((layer) => path.endsWith(layer.digest));
  for (let round = 0; round < 4; round++) {
    const earlier = proxy.requests.length;
    const child = spawn(process.execPath, options, { stdio: ["ignore", "pipe", "inherit"] });
    while (child.exitCode === null && !proxy.requests.slice(earlier).some(isBlob))
      await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 60 + 30 * round));
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "close");
    for await (const { digest } of b.store.list()) assert.equal(digestOf(await b.store.read(digest)), digest);
  }
  proxy.plan = () => undefined;
  const asked = proxy.requests.length;
  assert.equal((await b.pull(`${proxy.host}/app:v1`)).id, image.configDigest);
  const again = proxy.requests.slice(asked).filter(isBlob);
  assert.ok(again.length < LAYERS || again.some((r) => r.headers.range !== undefined));
  assert.equal((await b.store.usage()).ingests, 0);
});
