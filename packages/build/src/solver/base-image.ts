import { InvalidArgument } from "@boxship/base";
import type { Images } from "@boxship/engine";
import { unpackInto } from "@boxship/engine";
import {
  type CredentialSource,
  configPlatform,
  credentialsFor,
  familiarReference,
  formatPlatform,
  hostPlatform,
  type ImageConfig,
  type ImageRecord,
  type Platform,
  pairLayers,
  parsePlatform,
  parseReference,
  platformRank,
  pullImage,
  type Reference,
  resolveImage,
  samePlatform,
  withDefaultTag,
  withDigest,
} from "@boxship/oci";
import { subjectNames } from "../export/provenance.ts";
import { platformText } from "./build-args.ts";
import { withVariable } from "./growing.ts";
import { keyOf } from "./keys.ts";
import type { BuildSession } from "./session.ts";
import { DEFAULT_PATH, envMap, type StageState } from "./state.ts";

/** The stage on top of nothing. */
export function scratchState(platform: Platform): StageState {
  return {
    key: keyOf("scratch", formatPlatform(platform)),
    layers: [],
    base: platformFields(platform),
    config: { Env: [`PATH=${DEFAULT_PATH}`] },
    history: [],
    created: undefined,
    args: new Map(),
    commandGiven: false,
    image: "",
  };
}

function platformFields(platform: Platform): StageState["base"] {
  const { architecture, os, variant, osVersion, osFeatures } = platform;
  return {
    architecture,
    os,
    ...(variant === undefined || variant === "" ? {} : { variant }),
    ...(osVersion === undefined ? {} : { "os.version": osVersion }),
    ...(osFeatures === undefined ? {} : { "os.features": osFeatures }),
  };
}

/** The stage on top of an image, with the triggers that it leaves to be run. */
export function imageState(record: Pick<ImageRecord, "id" | "config" | "layers">): {
  readonly state: StageState;
  readonly triggers: readonly string[];
} {
  const { rootfs: _rootfs, config = {}, history = [], created, ...base } = record.config;
  const { OnBuild: triggers = [], ...kept } = config;
  const env = envMap(kept.Env).has("PATH") ? kept.Env : withVariable(kept.Env, "PATH", DEFAULT_PATH);
  const state: StageState = {
    key: keyOf("image", record.id),
    layers: pairLayers(record.layers, record.config.rootfs.diff_ids),
    base,
    config: { ...kept, ...(env === undefined ? {} : { Env: env }) },
    history,
    created,
    args: new Map(),
    commandGiven: false,
    image: record.id,
  };
  return { state, triggers };
}

/** Finds an image here, or brings it from its registry. */
export async function findImage(
  session: BuildSession,
  name: string,
  platform: Platform,
  vertex: string,
): Promise<ImageRecord> {
  const { images } = session.parts.engine;
  const found = session.request.pull === true ? undefined : localImage(images, name, platform);
  const record = found ?? (await pullBase(session, name, platform, vertex));
  images.store.touch(record.id);
  // An image that was named by its id may have no name.
  const isNamed = !/^(?:sha256:)?[0-9a-f]{12,64}$/.test(name);
  const reference = isNamed ? familiarReference(withDefaultTag(parseReference(name))) : record.repoTags[0];
  for (const uri of subjectNames(reference === undefined ? [] : [reference], platformText(platform))) {
    session.materials.set(uri === "_" ? record.id : uri, record.manifest.digest);
  }
  return record;
}

/** What an image says of itself: of one that is here, else of its registry's, whose layers are not brought. */
export async function imageDocument(session: BuildSession, name: string, platform: Platform): Promise<ImageConfig> {
  const { images } = session.parts.engine;
  const found = session.request.pull === true ? undefined : localImage(images, name, platform);
  if (found !== undefined) return found.config;
  const reference = withDefaultTag(parseReference(name));
  const { config } = await resolveImage({
    client: images.client,
    store: images.content,
    reference,
    ...(samePlatform(platform, hostPlatform()) ? {} : { platform }),
    lease: session.lease,
    ...(await registryCredentials(session, reference)),
    signal: session.signal,
  });
  return config;
}

function localImage(images: Images, name: string, platform: Platform): ImageRecord | undefined {
  const record = images.find(name);
  if (record === undefined) return undefined;
  return platformRank(platform, configPlatform(record.config)) === undefined ? undefined : record;
}

async function pullBase(session: BuildSession, name: string, platform: Platform, vertex: string): Promise<ImageRecord> {
  const { engine } = session.parts;
  const reference = withDefaultTag(parseReference(name));
  const started = session.now();
  const access = await registryCredentials(session, reference);
  const pulled = await pullImage({
    client: engine.images.client,
    store: engine.images.content,
    reference,
    ...(samePlatform(platform, hostPlatform()) ? {} : { platform }),
    lease: session.lease,
    isUnpacked: (chainId) => engine.snapshotter.has(chainId),
    unpackLayer: (layer) => unpackInto(engine, layer),
    onProgress: (event) => {
      if (event.kind !== "layer") return;
      const { digest, status, current = 0, total = 0 } = event;
      const time = session.now();
      const completed = /complete|exists/i.test(status) ? { completed: time } : {};
      session.emit({ kind: "status", vertex, id: digest, name: status, current, total, time, started, ...completed });
    },
    admit: engine.images.admit({ ...access, signal: session.signal }),
    ...access,
    signal: session.signal,
  });
  // A name goes on meaning the image that runs here.
  const isForeign = platformRank(hostPlatform(), platform) === undefined;
  const isTaken = isForeign && engine.images.store.find(reference) !== undefined;
  const record = isTaken
    ? await engine.images.record(withDigest(reference, pulled.manifest.digest), pulled)
    : await engine.images.record(reference, pulled);
  engine.events.publish("image", "pull", familiarReference(reference), { name: familiarReference(reference) });
  return record;
}

/** What the build's user logs in to a registry with. */
export async function registryCredentials(
  session: BuildSession,
  { domain }: Reference,
): Promise<{ readonly credentials?: CredentialSource }> {
  const given = await session.request.credentials?.(domain);
  return given === undefined ? {} : { credentials: credentialsFor(domain, credentialsOf(given)) };
}

function credentialsOf(given: NonNullable<Awaited<ReturnType<NonNullable<BuildSession["request"]["credentials"]>>>>) {
  const { username = "", password = "", identityToken, registryToken } = given;
  if (registryToken !== undefined && registryToken !== "") {
    return { kind: "registry-token", token: registryToken } as const;
  }
  if (identityToken !== undefined && identityToken !== "") {
    return { kind: "identity-token", token: identityToken } as const;
  }
  return { kind: "password", username, password } as const;
}

/** A platform as users write it. @throws InvalidArgument */
export function readPlatform(text: string): Platform {
  if (text === "") throw new InvalidArgument("the platform is empty", { remedy: "write it like linux/amd64" });
  return text === "local" ? hostPlatform() : parsePlatform(text);
}
