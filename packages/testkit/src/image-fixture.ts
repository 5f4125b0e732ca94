import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { REGISTRY_USER, type TestRegistry } from "./registry.ts";
import { makeTar, type TarEntry } from "./tar-fixture.ts";

export interface LayerFixture {
  /** The layer's files; or its whole archive. */
  readonly entries?: readonly TarEntry[];
  readonly tar?: Uint8Array;
  /** @default "gzip" */
  readonly compression?: "none" | "gzip" | "zstd";
  /** zlib level for gzip. @default 1 */
  readonly level?: number;
}

export interface ImageFixture {
  /** Bottom first. */
  readonly layers: readonly LayerFixture[];
  /** The configuration's `config` object. @default {} */
  readonly config?: Readonly<Record<string, unknown>>;
  /** @default "linux" */
  readonly os?: string;
  /** @default this machine's */
  readonly architecture?: string;
  readonly variant?: string;
}

export interface PushOptions {
  /** Media types in the registry. Zstandard layers need `oci`. @default "oci" */
  readonly format?: "oci" | "docker";
}

export interface PushedBlob {
  readonly digest: string;
  readonly size: number;
  readonly diffId: string;
}

/** What was pushed, as it was made; with `format: "docker"` the registry's manifest differs from this one. */
export interface PushedImage {
  /** `127.0.0.1:port/name:tag`. */
  readonly reference: string;
  readonly manifestDigest: string;
  /** The image's id. */
  readonly configDigest: string;
  readonly layers: readonly PushedBlob[];
}

export interface PushedIndex {
  readonly reference: string;
  readonly indexDigest: string;
  readonly images: readonly PushedImage[];
}

const run = promisify(execFile);

const OCI = "application/vnd.oci.image";
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64" };

interface Blob {
  readonly digest: string;
  readonly size: number;
}

/** An OCI image layout that is being written. */
class Layout {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  async blob(bytes: Uint8Array): Promise<Blob> {
    const hex = createHash("sha256").update(bytes).digest("hex");
    const folder = join(this.directory, "blobs", "sha256");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, hex), bytes);
    return { digest: `sha256:${hex}`, size: bytes.byteLength };
  }

  json(document: unknown): Promise<Blob> {
    return this.blob(Buffer.from(JSON.stringify(document)));
  }

  async finish(root: Blob & { readonly mediaType: string }): Promise<void> {
    const entry = { ...root, annotations: { "org.opencontainers.image.ref.name": "fixture" } };
    await writeFile(join(this.directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    await writeFile(join(this.directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  }
}

async function writeLayer(layout: Layout, layer: LayerFixture): Promise<PushedBlob & { readonly mediaType: string }> {
  const tar = layer.tar ?? makeTar(layer.entries ?? []);
  const diffId = `sha256:${createHash("sha256").update(tar).digest("hex")}`;
  const mediaType = `${OCI}.layer.v1.tar`;
  const { compression = "gzip" } = layer;
  if (compression === "none") return { ...(await layout.blob(tar)), diffId, mediaType };
  const bytes = compression === "gzip" ? gzipSync(tar, { level: layer.level ?? 1 }) : zstdCompressSync(tar);
  return { ...(await layout.blob(bytes)), diffId, mediaType: `${mediaType}+${compression}` };
}

function platformOf(image: ImageFixture): Readonly<Record<string, string>> {
  const architecture = image.architecture ?? ARCHITECTURES[process.arch] ?? process.arch;
  const base = { os: image.os ?? "linux", architecture };
  return image.variant === undefined ? base : { ...base, variant: image.variant };
}

async function writeImage(layout: Layout, image: ImageFixture) {
  const layers = await Promise.all(image.layers.map((layer) => writeLayer(layout, layer)));
  const config = await layout.json({
    created: "2026-01-01T00:00:00Z",
    ...platformOf(image),
    config: image.config ?? {},
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map((_, index) => ({ created: "2026-01-01T00:00:00Z", created_by: `fixture layer ${index}` })),
  });
  const mediaType = `${OCI}.manifest.v1+json`;
  const manifest = await layout.json({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: `${OCI}.config.v1+json`, ...config },
    layers: layers.map(({ digest, size, mediaType: type }) => ({ mediaType: type, digest, size })),
  });
  return { manifest: { mediaType, ...manifest }, config, layers };
}

async function withLayout<T>(work: (layout: Layout) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "boxship-layout-"));
  try {
    return await work(new Layout(directory));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function push(
  registry: Pick<TestRegistry, "host" | "auth">,
  layout: Layout,
  reference: string,
  flags: readonly string[],
): Promise<void> {
  const { username, password } = REGISTRY_USER;
  const credentials = registry.auth === "htpasswd" ? [`--dest-creds=${username}:${password}`] : [];
  const source = `oci:${layout.directory}:fixture`;
  const common = ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"];
  await run("skopeo", [...common, ...credentials, ...flags, source, `docker://${reference}`]);
}

/** Makes an image and pushes it with skopeo. @param name `repository:tag` */
export async function pushFixture(
  registry: Pick<TestRegistry, "host" | "auth">,
  name: string,
  image: ImageFixture,
  options: PushOptions = {},
): Promise<PushedImage> {
  return withLayout(async (layout) => {
    const { manifest, config, layers } = await writeImage(layout, image);
    await layout.finish(manifest);
    const reference = `${registry.host}/${name}`;
    // Without being told to keep digests, skopeo compresses layers that are not.
    await push(registry, layout, reference, [options.format === "docker" ? "--format=v2s2" : "--preserve-digests"]);
    return { reference, manifestDigest: manifest.digest, configDigest: config.digest, layers };
  });
}

/** Makes an image for several platforms and pushes it with skopeo. @param name `repository:tag` */
export async function pushIndexFixture(
  registry: Pick<TestRegistry, "host" | "auth">,
  name: string,
  images: readonly ImageFixture[],
): Promise<PushedIndex> {
  return withLayout(async (layout) => {
    const reference = `${registry.host}/${name}`;
    const made = await Promise.all(images.map((image) => writeImage(layout, image)));
    const mediaType = `${OCI}.index.v1+json`;
    const manifests = made.map(({ manifest }, index) => ({
      ...manifest,
      platform: platformOf(images[index] ?? { layers: [] }),
    }));
    const index = await layout.json({ schemaVersion: 2, mediaType, manifests });
    await layout.finish({ mediaType, ...index });
    await push(registry, layout, reference, ["--all", "--preserve-digests"]);
    const pushed = made.map(({ manifest, config, layers }) => ({
      reference,
      manifestDigest: manifest.digest,
      configDigest: config.digest,
      layers,
    }));
    return { reference, indexDigest: index.digest, images: pushed };
  });
}
