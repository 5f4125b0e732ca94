import { mkdtemp, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FailedPrecondition } from "@boxship/base";
import {
  bytesOf,
  type Digest,
  decodeImageConfig,
  decodeManifest,
  digestHex,
  digestOf,
  formatReference,
  type ImageManifest,
  MediaType,
  type Reference,
  repositoryName,
  type TarInput,
  tarEntry,
} from "@boxship/oci";
import { goJson } from "../copy/docker-manifest.ts";
import { writeArchiveFile } from "./archive-file.ts";
import type { ImageDestination } from "./contract.ts";
import { hasFile, hexOf, placeFile, readSmallFile } from "./files.ts";
import { fileInput } from "./layout-archive.ts";

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
  const directory = await mkdtemp(join(dirname(path), ".boxship-images-"));
  let top: ImageManifest | undefined;
  return {
    name,
    accepts: [MediaType.DockerManifest],
    layers: "plain",
    scratch: directory,
    async put(descriptor, content) {
      const target = join(directory, hexOf(descriptor.digest));
      if (await hasFile(descriptor, target)) return "present";
      const { path: from, owned } = await content();
      await placeFile(descriptor, from, target, owned);
      return "copied";
    },
    async putManifest({ bytes, mediaType }) {
      const document = decodeManifest(bytes, { mediaType });
      if (document.kind === "index")
        throw new FailedPrecondition("docker-archive cannot hold an index of several images");
      top = document;
    },
    async commit() {
      if (top !== undefined) await writeArchiveFile(path, members(directory, top, tags));
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

async function* members(
  directory: string,
  manifest: ImageManifest,
  tags: readonly Reference[],
): AsyncGenerator<TarInput> {
  const hex = manifest.layers.map(({ digest }) => digestHex(digest));
  for (const layer of new Set(hex)) yield readOnly(await fileInput(join(directory, layer), `${layer}.tar`));
  const config = `${digestHex(manifest.config.digest)}.json`;
  const bytes = await readSmallFile(join(directory, digestHex(manifest.config.digest)), 8 * 1024 * 1024);
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
    goJson([{ Config: config, RepoTags: names, Layers: hex.map((layer) => `${layer}.tar`) }]),
  );
  yield member("repositories", goJson(repositories(tags, legacy.at(-1)?.id)));
}

function member(name: string, content: Uint8Array | string): TarInput {
  const body = Buffer.from(content as Uint8Array);
  return readOnly({ entry: tarEntry({ type: "file", name: bytesOf(name), size: body.length }), body });
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
