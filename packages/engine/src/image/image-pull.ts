import {
  type Credentials,
  candidateReferences,
  credentialsFor,
  familiarName,
  familiarReference,
  formatPlatform,
  type PullEvent,
  parsePlatform,
  pullImage as pullFromRegistry,
  type Reference,
  withDefaultTag,
} from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { Progress, RegistryCredentials } from "../engine-api.ts";
import { unpackInto } from "./unpack-into.ts";

export interface PullOptions {
  readonly platform?: string;
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
  const { images } = context;
  const [reference] = candidateReferences(text);
  if (reference === undefined) throw new TypeError(`no candidates for ${text}`);
  const wanted = withDefaultTag(reference);
  using lease = images.content.lease();
  const { platform, signal, onProgress, credentials } = options;
  const access =
    credentials === undefined ? {} : { credentials: credentialsFor(wanted.domain, toCredentials(credentials)) };
  const pulled = await pullFromRegistry({
    client: images.client,
    store: images.content,
    reference: wanted,
    ...(platform === undefined || platform === "" ? {} : { platform: parsePlatform(platform) }),
    lease,
    isUnpacked: (chainId) => context.snapshotter.has(chainId),
    unpackLayer: (layer) => unpackInto(context, layer),
    onProgress: (event) => report(event, onProgress),
    admit: images.admit({ ...access, signal }),
    ...access,
    ...(signal === undefined ? {} : { signal }),
  });
  const before = images.find(familiarReference(wanted))?.id;
  await images.record(wanted, pulled);
  const upToDate = before === pulled.id;
  const name = familiarReference(wanted);
  onProgress({
    status: upToDate ? `Status: Image is up to date for ${name}` : `Status: Downloaded newer image for ${name}`,
  });
  context.events.publish("image", "pull", name, { name: familiarName(wanted) });
  return { id: pulled.id, digest: pulled.root.digest, upToDate };
}

export function toCredentials(credentials: RegistryCredentials): Credentials {
  const { username = "", password = "", identityToken, registryToken } = credentials;
  if (registryToken !== undefined && registryToken !== "") return { kind: "registry-token", token: registryToken };
  if (identityToken !== undefined && identityToken !== "") return { kind: "identity-token", token: identityToken };
  return { kind: "password", username, password };
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
