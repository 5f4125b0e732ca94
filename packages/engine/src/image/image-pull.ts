import { NotFound } from "@boxship/base";
import {
  familiarName,
  familiarReference,
  formatPlatform,
  type PullEvent,
  parsePlatform,
  pullImage as pullFromRegistry,
  type Reference,
  type RequestOptions,
  withDefaultTag,
} from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { Progress, RegistryCredentials } from "../engine-api.ts";
import { registryReference, requestCredentials } from "./registry-reference.ts";
import { unpackInto } from "./unpack-into.ts";

export interface PullOptions {
  readonly platform?: string;
  /** A name without a tag means every tag of the repository. @default `latest` */
  readonly allTags?: boolean;
  readonly credentials?: RegistryCredentials;
  readonly onProgress: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export interface PullResult {
  readonly id: string;
  readonly digest: string;
  readonly upToDate: boolean;
}

/** Brings an image from its registry, unpacked and named. Interrupted, it leaves only blobs that the next try uses. */
export async function pullImage(context: EngineContext, text: string, options: PullOptions): Promise<PullResult> {
  const asked = registryReference(text);
  const { domain, path } = asked;
  const named = options.allTags === true ? asked : withDefaultTag(asked);
  const wanted =
    named.tag !== undefined || named.digest !== undefined
      ? [named]
      : (await context.images.client.tags(named, accessOf(named, options))).map((tag) => ({ domain, path, tag }));
  const results: PullResult[] = [];
  for (const reference of wanted) results.push(await pullOne(context, reference, options));
  const last = results.at(-1);
  const name = familiarReference(named);
  if (last === undefined) {
    throw new NotFound(`repository ${name} has no tags`, { subject: { kind: "image", name } });
  }
  const upToDate = results.every((result) => result.upToDate);
  options.onProgress({
    status: upToDate ? `Status: Image is up to date for ${name}` : `Status: Downloaded newer image for ${name}`,
  });
  context.events.publish("image", "pull", name, { name: familiarName(named) });
  return { ...last, upToDate };
}

function accessOf(reference: Reference, { credentials, signal }: PullOptions): RequestOptions {
  return { ...requestCredentials(reference, credentials), ...(signal === undefined ? {} : { signal }) };
}

async function pullOne(context: EngineContext, reference: Reference, options: PullOptions): Promise<PullResult> {
  const { images } = context;
  using lease = images.content.lease();
  const { platform, onProgress } = options;
  const access = accessOf(reference, options);
  const pulled = await pullFromRegistry({
    client: images.client,
    store: images.content,
    reference,
    ...(platform === undefined || platform === "" ? {} : { platform: parsePlatform(platform) }),
    lease,
    isUnpacked: (chainId) => context.snapshotter.has(chainId),
    unpackLayer: (layer) => unpackInto(context, layer),
    onProgress: (event) => report(event, onProgress),
    admit: images.admit(access),
    ...access,
  });
  const before = images.find(familiarReference(reference))?.id;
  await images.record(reference, pulled);
  return { id: pulled.id, digest: pulled.root.digest, upToDate: before === pulled.id };
}

function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

function report(event: PullEvent, onProgress: (progress: Progress) => void): void {
  switch (event.kind) {
    case "pulling": {
      const { reference } = event;
      onProgress({ id: tagOf(reference), status: `Pulling from ${withoutDomain(reference)}` });
      return;
    }
    case "layer":
      onProgress({
        id: shortDigest(event.digest),
        status: event.status,
        ...(event.current === undefined ? {} : { current: event.current }),
        ...(event.total === undefined ? {} : { total: event.total }),
      });
      return;
    case "platform-mismatch":
      onProgress({
        status: `WARNING: image platform (${formatPlatform(event.actual)}) does not match the expected platform (${formatPlatform(event.wanted)})`,
      });
      return;
    case "digest":
      onProgress({ status: `Digest: ${event.digest}` });
      return;
  }
}

function tagOf(reference: Reference): string {
  return reference.tag ?? reference.digest ?? "";
}

function withoutDomain(reference: Reference): string {
  return reference.path;
}
