import { NotFound } from "@boxship/base";
import {
  configPlatform,
  type Digest,
  familiarName,
  familiarReference,
  type ImageRecord,
  layerCompression,
  type PushLayerEvent,
  parseReference,
  platformRank,
  pushImage as pushToRegistry,
  type Reference,
  repositoryName,
  withDigest,
} from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { ImagesApi, Progress } from "../engine-api.ts";
import { platformAsked, requirePlatform } from "./image-platform.ts";
import { indexesOf, pushIndex, type WholeIndex, wholeIndex } from "./push-index.ts";
import { registryReference, requestCredentials } from "./registry-reference.ts";

type PushOptions = Parameters<ImagesApi["push"]>[1];

interface Target {
  readonly name: Reference;
  readonly record: ImageRecord;
}

/** More places to mount from are not worth asking for. */
const MOUNT_CANDIDATES = 3;

/** Brings the images of a name, or of all tags of a repository, into their registry, one after another. */
export async function pushImage(context: EngineContext, text: string, options: PushOptions): Promise<void> {
  const reference = registryReference(text);
  const status = `The push refers to repository [${repositoryName(reference)}]`;
  options.onEvent({ kind: "progress", progress: { status } });
  const targets = targetsOf(context, reference);
  const chosen: Target[] = [];
  for (const target of targets) chosen.push(await ofPlatform(context, target, text, options.platform));
  for (const target of chosen) await pushOne(context, target, options);
}

function targetsOf(context: EngineContext, reference: Reference): readonly Target[] {
  const { store } = context.images;
  if (reference.tag === undefined && reference.digest === undefined) {
    const inRepository = ({ domain, path }: Reference) => domain === reference.domain && path === reference.path;
    const all = store.list().flatMap((record) => record.tags.filter(inRepository).map((name) => ({ name, record })));
    if (all.length > 0) return all.toSorted((a, b) => ((a.name.tag ?? "") < (b.name.tag ?? "") ? -1 : 1));
  }
  const record = store.find(reference);
  if (record !== undefined) return [{ name: reference, record }];
  throw new NotFound(`An image does not exist locally with the tag: ${familiarName(reference)}`, {
    subject: { kind: "repository", name: familiarReference(reference) },
    remedy: `give an image that name first: boxship tag IMAGE ${familiarReference(reference)}`,
  });
}

/** The image of a platform: that of the name, or one that is in the same index. @throws NotFound */
async function ofPlatform(
  context: EngineContext,
  target: Target,
  text: string,
  platform: string | undefined,
): Promise<Target> {
  const wanted = platformAsked(platform);
  if (wanted === undefined) return target;
  const runs = ({ config }: ImageRecord) => platformRank(wanted, configPlatform(config)) !== undefined;
  if (runs(target.record)) return target;
  const indexes = await indexesOf(context, target.record);
  const beside = new Set(indexes.flatMap(({ manifests }) => manifests.map(({ digest }) => digest)));
  const record = context.images.store.list().find((other) => beside.has(other.manifest.digest) && runs(other));
  if (record === undefined) requirePlatform(target.record, text, platform);
  return record === undefined ? target : { ...target, record };
}

/** All that a name stands for and that is here: the whole index, or one image. */
async function pushOne(context: EngineContext, target: Target, options: PushOptions): Promise<void> {
  const index =
    options.platform === undefined || options.platform === "" ? await wholeIndex(context, target.record) : undefined;
  if (index === undefined) await pushAlone(context, target, options);
  else await pushWhole(context, target, index, options);
}

async function pushWhole(
  context: EngineContext,
  { name, record }: Target,
  index: WholeIndex,
  { onEvent, signal, credentials }: PushOptions,
): Promise<void> {
  const { images } = context;
  using lease = images.content.lease();
  for (const { digest } of [index.descriptor, ...index.manifests]) lease.add(digest);
  await pushIndex(context, index.descriptor, name, {
    lease,
    mountFrom: (digest) => mountCandidates(images.store.list(), name, digest),
    onProgress: (event) => onEvent({ kind: "progress", progress: progressOf(event, record.config.rootfs.diff_ids) }),
    ...requestCredentials(name, credentials),
    signal,
  });
  const { digest, size } = index.descriptor;
  if (images.store.get(record.id) !== undefined) {
    const { manifest, indexes } = record;
    await images.store.add({ manifest, indexes, size: record.size, digests: [withDigest(name, digest)] });
  }
  tellPushed(context, name, { digest, size }, onEvent);
}

function tellPushed(
  { events }: EngineContext,
  name: Reference,
  { digest, size }: Pick<ImageRecord["manifest"], "digest" | "size">,
  onEvent: PushOptions["onEvent"],
): void {
  const tag = name.tag ?? digest;
  onEvent({ kind: "progress", progress: { status: `${tag}: digest: ${digest} size: ${size}` } });
  onEvent({ kind: "pushed", tag, digest, size });
  events.publish("image", "push", familiarReference(name), { name: familiarName(name) });
}

async function pushAlone(context: EngineContext, { name, record }: Target, options: PushOptions): Promise<void> {
  const { images } = context;
  const { onEvent, signal, credentials } = options;
  using lease = images.content.lease();
  const { manifest } = await pushToRegistry({
    client: images.client,
    store: images.content,
    lease,
    reference: name,
    manifest: record.manifest,
    compress: isOurs(record),
    mountFrom: (digest) => mountCandidates(images.store.list(), name, digest),
    onProgress: (event) => onEvent({ kind: "progress", progress: progressOf(event, record.config.rootfs.diff_ids) }),
    ...requestCredentials(name, credentials),
    signal,
  });
  const { digest, size } = manifest;
  const replaced = digest === record.manifest.digest ? {} : { replaces: record.manifest.digest };
  // It may have been removed meanwhile, and stays removed.
  if (images.store.get(record.id) !== undefined)
    await images.store.add({ manifest, size: record.size, digests: [withDigest(name, digest)], ...replaced });
  tellPushed(context, name, { digest, size }, onEvent);
}

/**
 * Whether the manifest was made here and is known nowhere else: images of old archives, whose layers are plain, are
 * compressed on their way out. Everybody else's manifests are theirs.
 */
function isOurs({ repoDigests, manifest, layers }: ImageRecord): boolean {
  const isNamed = repoDigests.some((name) => name.endsWith(`@${manifest.digest}`));
  return !isNamed && layers.some(({ mediaType }) => layerCompression(mediaType) === "none");
}

/** Other repositories of the registry that images with this blob came from or went to. */
function mountCandidates(records: readonly ImageRecord[], name: Reference, digest: Digest): readonly Reference[] {
  const found = new Map<string, Reference>();
  for (const record of records) {
    if (record.id !== digest && !record.layers.some((layer) => layer.digest === digest)) continue;
    for (const other of record.repoDigests.map(parseReference)) {
      if (other.domain === name.domain && other.path !== name.path) found.set(other.path, other);
    }
  }
  return [...found.values()].slice(0, MOUNT_CANDIDATES);
}

function progressOf(event: PushLayerEvent, diffIds: readonly Digest[]): Progress {
  const { index, current, total, from } = event;
  const diffId = diffIds[index] ?? "";
  return {
    id: diffId.slice(diffId.indexOf(":") + 1).slice(0, 12),
    status: from === undefined ? event.status : `${event.status} ${from.path}`,
    ...(current === undefined ? {} : { current }),
    ...(total === undefined ? {} : { total }),
  };
}
