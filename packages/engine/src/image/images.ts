import { join } from "node:path";
import { NotFound, PermissionDenied } from "@boxship/base";
import {
  type AdmitImage,
  type ContentStore,
  chainIds,
  configPlatform,
  createRegistryClient,
  credentialFiles,
  credentialsFor,
  type Digest,
  formatPlatform,
  type ImageRecord,
  type ImageStore,
  openContentStore,
  openImageStore,
  type Platform,
  type PulledImage,
  parsePlatform,
  parseReference,
  platformRank,
  type Reference,
  type RegistryClient,
  type RequestOptions,
  withDigest,
} from "@boxship/oci";
import type { MountContainerOptions, Snapshotter } from "@boxship/storage";
import type { ImageRunConfig, RegistryCredentials } from "../engine-api.ts";
import type { EngineOptions } from "../options.ts";
import { admitImage } from "./admit-image.ts";
import { runConfigOf } from "./image-config.ts";
import { toCredentials } from "./registry-reference.ts";

/** What a container needs of its image. */
export interface ContainerImage {
  readonly id: string;
  readonly chainId: string | undefined;
  readonly platform: Platform;
  readonly run: ImageRunConfig;
}

/** Something else that needs layers and blobs, asked at each sweep. */
export interface ContentKeeper {
  /** Chain ids of layers; those below them are kept with them. */
  chains(): Iterable<string>;
  blobs(): Iterable<string> | Promise<Iterable<string>>;
  /** Whether a blob came to be needed since {@link blobs} was asked. @default none ever does while a sweep runs */
  isNew?(digest: string): boolean;
}

/** The images of the instance: their content, their names, and the registries they come from. */
export class Images implements AsyncDisposable {
  readonly content: ContentStore;
  readonly store: ImageStore;
  readonly client: RegistryClient;
  readonly #options: EngineOptions;
  readonly #snapshotter: Snapshotter;
  /** Pulls and other work that has layers which no image names yet. */
  #writers = 0;
  #sweepDue = false;
  readonly #keepers = new Set<ContentKeeper>();

  private constructor(
    parts: { readonly content: ContentStore; readonly store: ImageStore; readonly client: RegistryClient },
    options: EngineOptions,
    snapshotter: Snapshotter,
  ) {
    this.content = parts.content;
    this.store = parts.store;
    this.client = parts.client;
    this.#options = options;
    this.#snapshotter = snapshotter;
  }

  static async open(options: EngineOptions, snapshotter: Snapshotter): Promise<Images> {
    const { root, registries = {}, clock, logger } = options;
    const content = await openContentStore({ root: join(root, "content") });
    const store = await openImageStore({ root: join(root, "images"), content, clock, logger });
    const client = createRegistryClient({ registries, credentials: credentialFiles(), clock, logger });
    return new Images({ content, store, client }, options, snapshotter);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.store[Symbol.asyncDispose]();
    await this.content[Symbol.asyncDispose]();
  }

  /** Asks the policy whether an image may be pulled; read anew each time. */
  admit(options: RequestOptions): AdmitImage {
    return (image) => admitImage(this.client, this.#options.policy, image, options);
  }

  count(): number {
    return this.store.list().length;
  }

  find(text: string): ImageRecord | undefined {
    try {
      return this.store.resolve(text);
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  /** @throws NotFound when it is not here, or only for another platform */
  async forContainer(text: string, platform?: string): Promise<ContainerImage> {
    const record = this.store.resolve(text);
    const own = configPlatform(record.config);
    if (platform !== undefined && platform !== "") {
      const wanted = parsePlatform(platform);
      if (platformRank(wanted, own) === undefined) {
        throw new NotFound(
          `image with reference ${text} was found but its platform (${formatPlatform(own)}) does not match the specified platform (${formatPlatform(wanted)})`,
          { subject: { kind: "image", name: text }, remedy: `boxship pull --platform ${platform} ${text}` },
        );
      }
    }
    this.store.touch(record.id);
    return { id: record.id, chainId: topChain(record), platform: own, run: runConfigOf(record.config) };
  }

  /** Records what a pull has brought. */
  async record(reference: Reference, pulled: PulledImage): Promise<ImageRecord> {
    const size = pulled.layers.reduce((sum, layer) => sum + (layer.size ?? this.layerSize(layer.chainId)), 0);
    return this.store.add({
      manifest: pulled.manifest,
      indexes: pulled.indexes,
      size,
      tags: reference.tag === undefined ? [] : [reference],
      digests: [withDigest(reference, pulled.root.digest)],
    });
  }

  /** Bytes of the files in a layer; 0 for one that is not unpacked. */
  layerSize(chainId: string): number {
    return this.#snapshotter.listLayers().find((layer) => layer.chainId === chainId)?.size ?? 0;
  }

  /** Bytes of the files in the layers of these diff ids, bottom first. */
  filesSize(diffIds: ImageRecord["config"]["rootfs"]["diff_ids"]): number {
    return chainIds(diffIds).reduce((sum, chainId) => sum + this.layerSize(chainId), 0);
  }

  /** How a container's image is shown: by the name it was made with while that still means the image, else by id. */
  displayName(imageId: string, typed: string): string {
    if (imageId === "") return typed;
    if (/^(sha256:)?[0-9a-f]{64}$/.test(typed)) return typed;
    return this.find(typed)?.id === imageId ? typed : imageId;
  }

  unpackedSize(imageId: string): number {
    return this.store.list().find(({ id }) => id === imageId)?.size ?? 0;
  }

  /** Mounts an image's files for a container to look at; the mount is named after `key`. */
  async mountReadOnly(
    imageId: string,
    key: string,
    options: Pick<MountContainerOptions, "mapped"> = {},
  ): Promise<string> {
    const record = this.store.list().find(({ id }) => id === imageId);
    if (record === undefined)
      throw new NotFound(`No such image: ${imageId}`, { subject: { kind: "image", name: imageId } });
    if (!this.#snapshotter.listContainers().some(({ id }) => id === key)) {
      await this.#snapshotter.createContainer(key, topChain(record));
    }
    return this.#snapshotter.mountContainer(key, { ...options, readOnly: true });
  }

  async unmount(key: string): Promise<void> {
    await this.#snapshotter.removeContainer(key);
  }

  /** Runs work that makes content and layers which nothing refers to until it is recorded; no sweep runs meanwhile. */
  async writing<T>(work: () => Promise<T>): Promise<T> {
    this.#writers++;
    try {
      return await work();
    } finally {
      this.#writers--;
      if (this.#writers === 0 && this.#sweepDue) await this.sweep();
    }
  }

  /** Has sweeps leave alone what `keeper` needs, until it is disposed. */
  keep(keeper: ContentKeeper): Disposable {
    this.#keepers.add(keeper);
    return { [Symbol.dispose]: () => void this.#keepers.delete(keeper) };
  }

  /**
   * Removes layers and blobs that neither an image nor a keeper needs; later, when work is under way that has not recorded its own yet.
   *
   * @returns chain ids of the layers that were removed, topmost first
   */
  async sweep(): Promise<readonly string[]> {
    this.#sweepDue = this.#writers > 0;
    if (this.#sweepDue) return [];
    const keepers = [...this.#keepers];
    const chains = new Set<string>(this.store.list().flatMap(({ config }) => chainIds(config.rootfs.diff_ids)));
    for (const chainId of keepers.flatMap((keeper) => [...keeper.chains()])) chains.add(chainId);
    const removed = await this.#snapshotter.sweep((chainId) => chains.has(chainId));
    const { store } = this;
    const blobs = await this.#keptBlobs(keepers);
    const isNeeded = (digest: Digest): boolean =>
      store.references().has(digest) || blobs.has(digest) || keepers.some((keeper) => keeper.isNew?.(digest) === true);
    for (let done = false; !done; ) {
      const { complete } = await this.content.sweep(isNeeded, { budgetMs: 50 });
      done = complete;
    }
    return removed.map(({ chainId }) => chainId);
  }

  async #keptBlobs(keepers: readonly ContentKeeper[]): Promise<ReadonlySet<string>> {
    const blobs = new Set<string>();
    for (const keeper of keepers) for (const digest of await keeper.blobs()) blobs.add(digest);
    return blobs;
  }

  /** Every blob that an image or a keeper needs at the moment. */
  async needed(): Promise<ReadonlySet<string>> {
    return new Set<string>([...(await this.#keptBlobs([...this.#keepers])), ...this.store.references()]);
  }

  /** Checks credentials against a registry. @throws PermissionDenied */
  async login(registry: string, credentials: RegistryCredentials): Promise<{ readonly status: string }> {
    const host = registry.replace(/^https?:\/\//, "").replace(/\/.*$/, "") || "docker.io";
    const domain = ["index.docker.io", "registry-1.docker.io"].includes(host) ? "docker.io" : host;
    const reference = parseReference(`${domain}/library/login`);
    const given = toCredentials(credentials);
    try {
      await this.client.ping(reference, { credentials: credentialsFor(domain, given) });
    } catch (error) {
      if (!(error instanceof PermissionDenied)) throw error;
      throw new PermissionDenied(`login attempt to ${domain} failed: incorrect username or password`, {
        cause: error,
        subject: { kind: "registry", name: domain },
      });
    }
    return { status: "Login Succeeded" };
  }

  insecureRegistries(): readonly string[] {
    return Object.entries(this.#options.registries ?? {}).flatMap(([host, { insecure }]) => (insecure ? [host] : []));
  }

  mirrors(): readonly string[] {
    return [...(this.#options.registries?.["docker.io"]?.mirrors ?? [])];
  }
}

/** Chain id of an image's top layer. */
export function topChain(record: ImageRecord): string | undefined {
  return chainIds(record.config.rootfs.diff_ids).at(-1);
}
