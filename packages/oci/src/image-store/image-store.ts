import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import {
  type Clock,
  FailedPrecondition,
  InvalidArgument,
  type Logger,
  previousOf,
  Semaphore,
  setAside,
  silentLogger,
  systemClock,
  systemCode,
  writeFileAtomic,
} from "@boxship/base";
import type { ContentStore } from "../content-store/contract.ts";
import { diskError } from "../content-store/disk-error.ts";
import { type Digest, digestHex } from "../digest.ts";
import { decodeImageConfig, encodeImageConfig } from "../image-config.ts";
import { checkDiffIds, decodeManifest, encodeManifest, MANIFEST_SIZE_LIMIT } from "../manifest.ts";
import { MediaType, ociLayerType } from "../media-types.ts";
import {
  candidateReferences,
  familiarReference,
  parseImageArgument,
  type Reference,
  withDefaultTag,
} from "../reference.ts";
import type { ImageRecord, ImageStore, LayeredImage, NewImage } from "./contract.ts";
import { GroupCommit } from "./group-commit.ts";
import { type Draft, decodeState, EMPTY_STATE, encodeState, type StoredManifest, type StoreState } from "./state.ts";
import { type Documents, makeView, nameKey, newestManifest, noSuchImage, type View } from "./view.ts";

export interface ImageStoreOptions {
  /** Directory of the list of images; made if it is missing. */
  readonly root: string;
  readonly content: ContentStore;
  /** Registries for names that do not name one. @default ["docker.io"] */
  readonly searchRegistries?: readonly string[];
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default silentLogger */
  readonly logger?: Logger;
}

const CONCURRENT_READS = 16;

/** Opens the list of images in a directory. */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const { root, content, logger = silentLogger } = options;
  await mkdir(root, { recursive: true, mode: 0o700 });
  const path = join(root, "images.json");
  const state = await readState(path, logger);
  const documents = new Map<Digest, Documents>();
  const reads = new Semaphore(CONCURRENT_READS);
  const load = async ({ descriptor }: StoredManifest) => {
    try {
      documents.set(descriptor.digest, await readDocuments(content, descriptor.digest));
    } catch (error) {
      logger.error("image cannot be read and is left out", { manifest: descriptor.digest, error });
    }
  };
  await Promise.all([...state.manifests.values()].map((manifest) => reads.run(() => load(manifest))));
  return new FileImageStore(options, path, onlyReadable(state, documents), documents);
}

/** The list, or where it cannot be read as it was before its last change: better an image too few than none. */
async function readState(path: string, logger: Logger): Promise<StoreState> {
  const current = await readReadable(path, logger);
  if (current !== undefined) return current;
  const previous = await readReadable(previousOf(path), logger);
  if (previous === undefined) return EMPTY_STATE;
  logger.warn("the list of images is taken as it was before its last change", { path });
  return previous;
}

/** @returns undefined when there is none, or none that can be read: that one is put aside */
async function readReadable(path: string, logger: Logger): Promise<StoreState | undefined> {
  try {
    return decodeState(path, await readFile(path));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    // Not one of another version: that is not ours to move.
    if (!(error instanceof InvalidArgument)) throw error;
    await setAside(path, "the list of images", error, logger);
    return undefined;
  }
}

function onlyReadable(state: StoreState, documents: ReadonlyMap<Digest, Documents>): StoreState {
  if (documents.size === state.manifests.size) return state;
  return {
    manifests: new Map([...state.manifests].filter(([digest]) => documents.has(digest))),
    names: new Map([...state.names].filter(([, digest]) => documents.has(digest))),
  };
}

async function readDocuments(content: ContentStore, digest: Digest): Promise<Documents> {
  const bytes = await content.read(digest, { limit: MANIFEST_SIZE_LIMIT });
  const manifest = decodeManifest(bytes, { name: `manifest ${digest}` });
  if (manifest.kind === "index") throw new InvalidArgument(`${digest} is an index, not the manifest of an image`);
  const config = decodeImageConfig(
    await content.read(manifest.config.digest),
    `configuration ${manifest.config.digest}`,
  );
  checkDiffIds(`image ${manifest.config.digest}`, manifest.layers, config.rootfs.diff_ids);
  return { manifest, config };
}

/** Bytes. */
const LARGE_CONFIG = 1 << 20;

class FileImageStore implements ImageStore {
  readonly #options: ImageStoreOptions;
  readonly #clock: Clock;
  /** By manifest. Entries whose manifest is not, or no longer, in the state do no harm. */
  readonly #documents: Map<Digest, Documents>;
  readonly #commits: GroupCommit<StoreState, Draft>;
  /** Uses that were not written yet, by image. */
  readonly #used = new Map<Digest, number>();
  #usesWritten = true;
  #cached: { readonly state: StoreState; readonly view: View } | undefined;

  constructor(options: ImageStoreOptions, path: string, initial: StoreState, documents: Map<Digest, Documents>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#documents = documents;
    this.#commits = new GroupCommit<StoreState, Draft>({
      initial,
      draft: (state) => ({ manifests: new Map(state.manifests), names: new Map(state.names) }),
      seal: (draft) => this.#withUses(draft),
      write: async (state) => {
        this.#usesWritten = true;
        await writeFileAtomic(path, encodeState(state), { keepPrevious: true }).catch((error: unknown) => {
          this.#usesWritten = false;
          throw diskError(error, path);
        });
      },
    });
  }

  async add(image: NewImage): Promise<ImageRecord> {
    const { content } = this.#options;
    const { manifest: descriptor, indexes = [], size, tags = [], digests = [], replaces } = image;
    using lease = content.lease();
    for (const { digest } of [descriptor, ...indexes]) lease.add(digest);
    await this.#require(descriptor.digest);
    const documents = await readDocuments(content, descriptor.digest);
    const { config, layers } = documents.manifest;
    for (const { digest } of [config, ...layers]) lease.add(digest);
    for (const { digest } of [...layers, ...indexes]) await this.#require(digest);
    await this.#commits.change((draft) => {
      this.#documents.set(descriptor.digest, documents);
      const known = draft.manifests.get(descriptor.digest);
      const added = known?.added ?? this.#clock.now();
      const stored = { descriptor, indexes, id: config.digest, size, added };
      draft.manifests.set(descriptor.digest, known === undefined ? stored : { ...known, ...stored });
      if (replaces !== undefined && draft.manifests.get(replaces)?.id === config.digest) {
        for (const [name, digest] of draft.names) if (digest === replaces) draft.names.set(name, descriptor.digest);
        draft.manifests.delete(replaces);
      }
      for (const name of [...tags.map(withDefaultTag), ...digests]) {
        draft.names.set(nameKey(name), descriptor.digest);
      }
    });
    return this.#mustGet(config.digest);
  }

  async #require(digest: Digest): Promise<void> {
    if ((await this.#options.content.stat(digest)) !== undefined) return;
    throw new FailedPrecondition(`blob ${digest} of the image is not in the content store`, {
      subject: { kind: "blob", name: digest },
    });
  }

  async addFromLayers(image: LayeredImage): Promise<ImageRecord> {
    const { content } = this.#options;
    using lease = content.lease();
    for (const { descriptor } of image.layers) lease.add(descriptor.digest);
    const rootfs = { type: "layers" as const, diff_ids: image.layers.map((layer) => layer.diffId) };
    const configBytes = encodeImageConfig({ ...image.config, rootfs });
    // A history of many thousand steps is megabytes: writing and hashing them are two turns.
    if (configBytes.length > LARGE_CONFIG) await setImmediate();
    const config = await content.put(configBytes);
    lease.add(config.digest);
    const manifestBytes = encodeManifest({
      kind: "manifest",
      mediaType: MediaType.OciManifest,
      config: { mediaType: MediaType.OciConfig, ...config },
      layers: image.layers.map(({ descriptor }) => ({ ...descriptor, mediaType: ociLayerType(descriptor.mediaType) })),
    });
    const manifest = await content.put(manifestBytes);
    lease.add(manifest.digest);
    const { size, tags = [] } = image;
    return this.add({ manifest: { mediaType: MediaType.OciManifest, ...manifest }, size, tags });
  }

  get(id: Digest): ImageRecord | undefined {
    return this.#view.images.get(id);
  }

  #mustGet(id: Digest): ImageRecord {
    const record = this.get(id);
    if (record === undefined) throw noSuchImage(id);
    return record;
  }

  list(): readonly ImageRecord[] {
    return [...this.#view.images.values()];
  }

  find(reference: Reference): ImageRecord | undefined {
    const manifest = this.#commits.state.names.get(nameKey(withDefaultTag(reference)));
    const stored = manifest === undefined ? undefined : this.#commits.state.manifests.get(manifest);
    return stored === undefined ? undefined : this.get(stored.id);
  }

  resolve(text: string): ImageRecord {
    const partialId = /^(?:sha256:)?([0-9a-f]{2,64})$/.exec(text)?.[1];
    if (text.startsWith("sha256:") && partialId !== undefined) return this.#byId(partialId, text);
    const argument = parseImageArgument(text);
    if (argument.kind === "id") return this.#byId(digestHex(argument.digest), text);
    for (const candidate of candidateReferences(text, this.#options.searchRegistries)) {
      const found = this.find(candidate);
      if (found !== undefined) return found;
    }
    if (partialId !== undefined) return this.#byId(partialId, familiarReference(withDefaultTag(argument.reference)));
    throw noSuchImage(familiarReference(withDefaultTag(argument.reference)));
  }

  /** By the beginning of the configuration's digest, or of the manifest's, which some tools show as the id. */
  #byId(prefix: string, shown: string): ImageRecord {
    const { state } = this.#commits;
    const ids = new Set<Digest>();
    for (const [digest, { id }] of state.manifests) {
      if (digestHex(id).startsWith(prefix) || digestHex(digest).startsWith(prefix)) ids.add(id);
    }
    const [only, ...others] = ids;
    if (only === undefined) throw noSuchImage(shown);
    if (others.length > 0) {
      throw new InvalidArgument(`image id ${prefix} is ambiguous: it is the beginning of ${ids.size} ids`, {
        subject: { kind: "image", name: shown },
        remedy: "write more of the id",
      });
    }
    return this.#mustGet(only);
  }

  async tag(id: Digest, reference: Reference): Promise<ImageRecord> {
    const name = nameKey(withDefaultTag(reference));
    await this.#commits.change((draft) => {
      const stored = newestManifest(draft.manifests.values(), id);
      if (stored === undefined) throw noSuchImage(id);
      draft.names.set(name, stored.descriptor.digest);
    });
    return this.#mustGet(id);
  }

  async untag(reference: Reference): Promise<boolean> {
    const name = nameKey(withDefaultTag(reference));
    if (!this.#commits.state.names.has(name)) return false;
    return this.#commits.change((draft) => draft.names.delete(name));
  }

  async remove(id: Digest): Promise<boolean> {
    return this.#commits.change((draft) => {
      const gone = new Set([...draft.manifests.values()].filter((m) => m.id === id).map((m) => m.descriptor.digest));
      for (const [name, digest] of draft.names) if (gone.has(digest)) draft.names.delete(name);
      for (const digest of gone) draft.manifests.delete(digest);
      this.#used.delete(id);
      return gone.size > 0;
    });
  }

  touch(id: Digest): void {
    const record = this.get(id);
    if (record === undefined) return;
    const lastUsed = this.#clock.now();
    this.#used.set(id, lastUsed);
    this.#usesWritten = false;
    this.#view.images.set(id, { ...record, lastUsed });
  }

  #withUses(draft: Draft): StoreState {
    for (const [digest, manifest] of draft.manifests) {
      const lastUsed = this.#used.get(manifest.id);
      if (lastUsed !== undefined) draft.manifests.set(digest, { ...manifest, lastUsed });
    }
    return draft;
  }

  references(): ReadonlySet<Digest> {
    return this.#view.references;
  }

  get #view(): View {
    const { state } = this.#commits;
    if (this.#cached?.state !== state) {
      for (const digest of this.#cached?.state.manifests.keys() ?? []) {
        if (!state.manifests.has(digest)) this.#documents.delete(digest);
      }
      this.#cached = { state, view: makeView(state, this.#documents) };
    }
    return this.#cached.view;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#usesWritten) await this.#commits.change(() => {});
    await this.#commits.settled();
  }
}
