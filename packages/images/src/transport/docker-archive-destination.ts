import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { FailedPrecondition } from "@boxship/base";
import {
  bytesOf,
  type Digest,
  decodeImageConfig,
  decodeManifest,
  digestHex,
  digestOf,
  formatReference,
  IMAGE_CONFIG_SIZE_LIMIT,
  type ImageManifest,
  MediaType,
  type Reference,
  repositoryName,
  type TarInput,
  tarEntry,
} from "@boxship/oci";
import { goJson } from "../copy/docker-manifest.ts";
import { writeArchiveFile } from "./archive-file.ts";
import { CollectedBlobs, memberOf } from "./collected-blobs.ts";
import type { ImageDestination } from "./contract.ts";
import { openWorkspace } from "./workspace.ts";

export interface DockerArchiveOptions {
  readonly path: string;
  /** Names that the image gets in the archive. @default [] */
  readonly tags: readonly Reference[];
}

/** A new archive in the form of `docker save` before version 25, which every Docker loads. */
export async function dockerArchiveDestination({ path, tags }: DockerArchiveOptions): Promise<ImageDestination> {
  const name = [`docker-archive:${path}`, ...tags.slice(0, 1).map(formatReference)].join(":");
  const existing = await stat(path).catch(() => undefined);
  if (existing?.isFile() === true && existing.size > 0) {
    throw new FailedPrecondition("docker-archive doesn't support modifying existing images", {
      subject: { kind: "file", name: path },
    });
  }
  const workspace = await openWorkspace(dirname(path));
  const blobs = new CollectedBlobs();
  let top: ImageManifest | undefined;
  return {
    name,
    accepts: [MediaType.DockerManifest],
    layers: "plain",
    scratch: { directory: workspace.path, moved: false },
    put: (descriptor, content) => blobs.put(descriptor, content),
    async putManifest({ bytes, mediaType }) {
      const document = decodeManifest(bytes, { mediaType });
      if (document.kind === "index")
        throw new FailedPrecondition("docker-archive cannot hold an index of several images");
      top = document;
    },
    async commit() {
      if (top !== undefined) await writeArchiveFile(path, workspace.path, members(blobs, top, tags));
    },
    [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose](),
  };
}

async function* members(
  blobs: CollectedBlobs,
  manifest: ImageManifest,
  tags: readonly Reference[],
): AsyncGenerator<TarInput> {
  const layers = manifest.layers.map(({ digest }) => digest);
  for (const layer of new Set(layers)) yield readOnly(blobs.member(layer, `${digestHex(layer)}.tar`));
  const config = `${digestHex(manifest.config.digest)}.json`;
  const bytes = Buffer.from(await blobs.read(manifest.config.digest, IMAGE_CONFIG_SIZE_LIMIT));
  yield member(config, bytes);
  const legacy = legacyLayers(bytes, manifest);
  for (const { id, layer, json } of legacy) {
    yield {
      entry: tarEntry({
        type: "symlink",
        name: bytesOf(`${id}/layer.tar`),
        linkName: bytesOf(`../${layer}.tar`),
        mode: 0,
      }),
    };
    yield member(`${id}/VERSION`, "1.0");
    yield member(`${id}/json`, json);
  }
  const names = tags.map(formatReference);
  yield member(
    "manifest.json",
    goJson([{ Config: config, RepoTags: names, Layers: layers.map((layer) => `${digestHex(layer)}.tar`) }]),
  );
  yield member("repositories", goJson(repositories(tags, legacy.at(-1)?.id)));
}

function member(name: string, content: Uint8Array | string): TarInput {
  return readOnly(memberOf(name, content));
}

function readOnly(input: TarInput): TarInput {
  return { ...input, entry: { ...input.entry, mode: 0o444 } };
}

interface LegacyLayer {
  readonly id: string;
  readonly layer: string;
  readonly json: string;
}

/** What Dockers before 1.10 read: a chain of images, one per layer, of which the last has the configuration. */
function legacyLayers(config: Buffer, { layers }: ImageManifest): readonly LegacyLayer[] {
  decodeImageConfig(config);
  const chain: LegacyLayer[] = [];
  let parent: string | undefined;
  let chained: Digest | undefined;
  for (const [index, { digest }] of layers.entries()) {
    chained = chained === undefined ? digest : digestOf(`${chained} ${digest}`);
    const last = index === layers.length - 1;
    const fields = last ? legacyConfig(config) : {};
    const before = parent === undefined ? {} : { parent };
    const id = digestHex(digestOf(goJson(sorted({ ...fields, layer_id: chained, ...before }))));
    chain.push({ id, layer: digestHex(digest), json: goJson(sorted({ ...fields, id, ...before })) });
    parent = id;
  }
  return chain;
}

const LEGACY = ["architecture", "config", "container", "container_config", "created", "docker_version", "os"];

function legacyConfig(bytes: Buffer): Readonly<Record<string, unknown>> {
  const whole = JSON.parse(bytes.toString()) as Record<string, unknown>;
  return Object.fromEntries(LEGACY.map((key) => [key, whole[key] ?? null]));
}

function sorted(object: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function repositories(tags: readonly Reference[], id: string | undefined): unknown {
  const named: Record<string, Record<string, string>> = {};
  for (const tag of tags) {
    if (id !== undefined) (named[repositoryName(tag)] ??= {})[tag.tag ?? "latest"] = id;
  }
  return named;
}
