import { createReadStream } from "node:fs";
import { mkdir, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize, relative, sep } from "node:path";
import { InvalidArgument, systemCode } from "@boxship/base";
import {
  type Descriptor,
  decodeManifest,
  decompress,
  extractArchive,
  familiarReference,
  type ImageManifest,
  type Reference,
  type RegistryClient,
  rewriteTar,
} from "@boxship/oci";
import { type TarEntry, toBuffer } from "@boxship/oci/tar";
import { FileDirectories, placeFile } from "../transport/files.ts";
import { openScratch } from "../transport/scratch.ts";
import { TITLE, UNPACK } from "./push-artifact.ts";

export interface PullArtifactRequest {
  readonly client: RegistryClient;
  readonly reference: Reference;
  /** Directory that the files are written to; made if it is missing. */
  readonly directory: string;
}

export interface PulledArtifact {
  readonly digest: string;
  readonly artifactType: string;
  /** Names of the files below the directory. */
  readonly files: readonly string[];
  /** Parts without a name, which are not written. */
  readonly skipped: readonly Descriptor[];
}

/**
 * Writes the files of an artifact into a directory.
 *
 * @throws InvalidArgument for an index, for names that leave the directory, be it by links in it, and for two files of one name
 */
export async function pullArtifact({ client, reference, directory }: PullArtifactRequest): Promise<PulledArtifact> {
  const { bytes, digest, mediaType } = await client.manifest(reference);
  const manifest = decodeManifest(bytes, { mediaType, name: `manifest of ${familiarReference(reference)}` });
  if (manifest.kind === "index") {
    throw new InvalidArgument(`${familiarReference(reference)} is an index of several artifacts or images`, {
      remedy: `choose one by digest: ${manifest.manifests.map((entry) => entry.digest).join(", ")}`,
    });
  }
  const files = namedFiles(manifest);
  await mkdir(directory, { recursive: true });
  await using scratch = await openScratch({ directory });
  const directories = new FileDirectories();
  for (const [name, descriptor] of files) {
    await client.fetchBlob({ reference, descriptor, store: scratch.store });
    if (descriptor.annotations?.[UNPACK] === "true") {
      await unpack(await scratch.store.path(descriptor.digest), directory, name);
      continue;
    }
    await makeParents(directory, name);
    const target = join(directory, name);
    // Two names may have the same content.
    const from = await scratch.store.path(descriptor.digest);
    await placeFile({ descriptor, from, to: target, temporaryDirectory: scratch.path, owned: false, directories });
  }
  await directories.sync();
  return {
    digest,
    artifactType: manifest.artifactType ?? manifest.config.mediaType,
    files: [...files.keys()],
    skipped: manifest.layers.filter(({ annotations }) => annotations?.[TITLE] === undefined),
  };
}

/** Unpacks the archive of a directory, with our own rights. @throws InvalidArgument for what is not in the directory */
async function unpack(file: string, directory: string, name: string): Promise<void> {
  const source = createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
  const keep = (entry: TarEntry) => {
    const path = toBuffer(entry.name)
      .toString()
      .replace(/^(?:\.\/)+|\/+$/g, "");
    if (path === name || path.startsWith(`${name}/`)) return true;
    throw new InvalidArgument(`the archive of ${JSON.stringify(name)} in the artifact holds ${JSON.stringify(path)}`, {
      subject: { kind: "file", name: path },
    });
  };
  const archive = rewriteTar(decompress(source), { keep }, { entries: 0, size: 0 });
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  await extractArchive(directory, "/", archive, { owner });
}

function namedFiles({ layers }: ImageManifest): ReadonlyMap<string, Descriptor> {
  const files = new Map<string, Descriptor>();
  for (const layer of layers) {
    const title = layer.annotations?.[TITLE];
    if (title === undefined) continue;
    const name = safeName(title);
    if (files.has(name)) throw new InvalidArgument(`the artifact has two files named ${JSON.stringify(name)}`);
    files.set(name, layer);
  }
  return files;
}

/** Makes the directories above a file, none of which may be a link out of the directory. */
async function makeParents(directory: string, name: string): Promise<void> {
  const root = await realpath(directory);
  let path = root;
  for (const part of dirname(name).split(sep)) {
    path = join(path, part);
    await mkdir(path).catch((error: unknown) => {
      if (systemCode(error) !== "EEXIST") throw error;
    });
    // The archive of a directory may have brought a link, and so may an artifact that was pulled before.
    path = await realpath(path);
    if (relative(root, path).split(sep)[0] === "..") throw leaves(name);
  }
}

function leaves(title: string): InvalidArgument {
  return new InvalidArgument(`the artifact has a file named ${JSON.stringify(title)}, which leaves the directory`, {
    subject: { kind: "file", name: title },
  });
}

/** A name that stays below a directory. @throws InvalidArgument for any other */
export function safeName(title: string): string {
  const name = normalize(title);
  const parts = name.split(sep);
  if (
    title === "" ||
    title.includes("\0") ||
    isAbsolute(name) ||
    parts.includes("..") ||
    name === "." ||
    name.endsWith(sep)
  ) {
    throw leaves(title);
  }
  return name;
}
