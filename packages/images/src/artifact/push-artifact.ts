import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { InvalidArgument, Unsupported } from "@boxship/base";
import {
  archivePath,
  buildLayer,
  type Descriptor,
  decodeManifest,
  familiarReference,
  MediaType,
  type Reference,
  type RegistryClient,
} from "@boxship/oci";
import { fileError } from "../transport/files.ts";
import { openScratch } from "../transport/scratch.ts";
import { artifactManifest, EMPTY, EMPTY_CONTENT, UNKNOWN_ARTIFACT } from "./manifest.ts";
import { putReferrer } from "./put-referrer.ts";

/** Name of a file in an artifact, as oras and others write it. */
export const TITLE = "org.opencontainers.image.title";
/** That a part is the archive of a directory, and the digest of what is in it, as oras writes them. */
export const UNPACK = "io.deis.oras.content.unpack";
const UNPACKED_DIGEST = "io.deis.oras.content.digest";
const CREATED = "org.opencontainers.image.created";
/** What oras says of a file whose type nobody names. */
const DEFAULT_FILE_TYPE = "application/vnd.oci.image.layer.v1.tar";

export interface ArtifactFile {
  readonly path: string;
  /** @default "application/vnd.oci.image.layer.v1.tar", as oras has it */
  readonly mediaType?: string | undefined;
  /** @default the file's own name */
  readonly title?: string | undefined;
}

export interface PushArtifactRequest {
  readonly client: RegistryClient;
  /** Where to: a name with a tag; with a subject, the subject itself. */
  readonly reference: Reference;
  readonly files: readonly ArtifactFile[];
  readonly artifactType?: string | undefined;
  readonly config?: ArtifactFile | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Attach it to what the reference stands for, instead of giving it the reference's tag. @default false */
  readonly attach?: boolean;
  /** RFC 3339. @default the artifact says no time */
  readonly created?: string | undefined;
}

/** Pushes files and directories as an artifact. @returns its descriptor @throws NotFound for a file or a subject that is not there */
export async function pushArtifact(request: PushArtifactRequest): Promise<Descriptor> {
  const { client, reference, attach = false, artifactType, created } = request;
  if (attach && artifactType === undefined) throw new InvalidArgument("what is attached needs an artifact type");
  const subject = attach ? await subjectOf(client, reference) : undefined;
  const layers: Descriptor[] = [];
  for (const file of request.files) layers.push(await pushFile(client, reference, file));
  const config = request.config && (await pushFile(client, reference, request.config, artifactType));
  if (config === undefined || layers.length === 0) await pushEmpty(client, reference);
  const annotations = { ...request.annotations, ...(created !== undefined && { [CREATED]: created }) };
  const type = artifactType ?? UNKNOWN_ARTIFACT;
  const manifest = artifactManifest({ artifactType: type, config, layers, subject, annotations });
  if (subject === undefined) await client.putManifest(reference, manifest);
  else await putReferrer(client, reference, manifest, subject.digest);
  const { digest, mediaType, bytes } = manifest;
  return { mediaType, digest, size: bytes.byteLength, artifactType: type };
}

/** What is to be referred to. @throws NotFound if it is not there */
export async function subjectOf(client: RegistryClient, reference: Reference): Promise<Descriptor> {
  const { bytes, digest, mediaType } = await client.manifest(reference);
  const document = decodeManifest(bytes, { mediaType, name: `manifest of ${familiarReference(reference)}` });
  return { mediaType: document.mediaType, digest, size: bytes.byteLength };
}

async function pushFile(
  client: RegistryClient,
  reference: Reference,
  file: ArtifactFile,
  fallback: string = DEFAULT_FILE_TYPE,
): Promise<Descriptor> {
  const { path, mediaType = fallback, title = basename(path) } = file;
  const info = await stat(path).catch((error: unknown) => {
    throw fileError(error, path);
  });
  if (info.isDirectory()) return pushDirectory(client, reference, file);
  if (!info.isFile()) throw new Unsupported(`${path} is neither a file nor a directory`);
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  const digest = `sha256:${hash.digest("hex")}` as const;
  const descriptor: Descriptor = { mediaType, digest, size: info.size, annotations: { [TITLE]: title } };
  await client.pushBlob({ reference, descriptor, store: { path: () => Promise.resolve(path) } });
  return descriptor;
}

/** A directory becomes a compressed archive, whose names begin with its own, and which says that it is to be unpacked. */
async function pushDirectory(
  client: RegistryClient,
  reference: Reference,
  { path, mediaType = MediaType.OciLayerGzip, title }: ArtifactFile,
): Promise<Descriptor> {
  const absolute = resolve(path);
  const name = basename(absolute);
  if (title !== undefined && title !== name) throw new Unsupported(`a directory keeps its name: ${name}`);
  await using scratch = await openScratch();
  const { store } = scratch;
  const { stream } = await archivePath(dirname(absolute), name);
  const { descriptor, diffId } = await buildLayer({ archive: stream, store, lease: store.lease() });
  const annotations = { [TITLE]: name, [UNPACKED_DIGEST]: diffId, [UNPACK]: "true" };
  const layer = { ...descriptor, mediaType, annotations };
  await client.pushBlob({ reference, descriptor: layer, store });
  return layer;
}

/** The empty content, which every artifact without configuration has. */
export async function pushEmpty(client: RegistryClient, reference: Reference): Promise<void> {
  await pushBytes(client, reference, EMPTY, EMPTY_CONTENT);
}

/** Content that is in memory. */
export async function pushBytes(
  client: RegistryClient,
  reference: Reference,
  descriptor: Descriptor,
  bytes: Uint8Array,
): Promise<void> {
  await using scratch = await openScratch();
  await scratch.store.put(bytes, descriptor.digest);
  await client.pushBlob({ reference, descriptor, store: scratch.store });
}
