import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Logger, silentLogger, syncDirectory } from "@boxship/base";
import {
  AlreadyExists,
  Conflict,
  errorMessage,
  FailedPrecondition,
  Internal,
  NotFound,
  systemCode,
  Unsupported,
} from "@boxship/base/errors";
import { detachMount, findMounts, releaseMountsBelow } from "@boxship/kernel";
import type {
  ContainerInfo,
  CreateContainerOptions,
  LayerInfo,
  LayerStage,
  MountContainerOptions,
  SnapshotMapping,
  SnapshotStore,
  TreeUsage,
} from "../contract.ts";
import { measureTree, syncFilesystem, writeDifferenceAway } from "../storage-pool.ts";
import { explainDiskError } from "../tree/disk-error.ts";
import { OverlayStage } from "./layer-stage.ts";
import { LayerTable } from "./layer-table.ts";
import { MappedTree } from "./mapped-tree.ts";
import {
  filesystemType,
  mountOverlay,
  type OverlayMethod,
  type OverlayMount,
  PROBE,
  probeOverlay,
  type StorageDriver,
} from "./overlay-mount.ts";
import { holdDirectories, PlainTrees } from "./plain-trees.ts";
import {
  type ContainerRecord,
  checkContainerId,
  layerDirectoryName,
  parseContainer,
  parseLayer,
  RECORD_FILE,
  readRecords,
} from "./record.ts";
import { SyncGate } from "./sync-gate.ts";
import { Trash } from "./trash.ts";
import { closeWritableLayer, makeWritableLayer, openWritableLayer, writableDirectory } from "./writable-layer.ts";

export interface SnapshotterOptions {
  /** Directory of the state; made when absent. One process at a time may open it. */
  readonly root: string;
  /** @default silent */
  readonly logger?: Logger;
  /** For containers that are in a user namespace. @default none can be mounted for them */
  readonly mapping?: SnapshotMapping;
  /** Put file systems together by copying: nothing can be mounted. Only temporary containers then. @default false */
  readonly copies?: boolean;
  /** @default overlay2 */
  readonly driver?: StorageDriver;
}

interface Container extends ContainerRecord {
  mounted: boolean;
  /** Where there are copies: nothing was written to it. */
  readOnly?: boolean;
}

/** Directories below the root. */
interface Places {
  readonly layers: string;
  readonly containers: string;
  readonly stages: string;
  readonly trash: string;
  /** The lower layer of containers that have none. */
  readonly empty: string;
}

/**
 * The snapshot store on overlayfs, or on copies.
 *
 *     layers/sha256-…/     record.json  diff/
 *     containers/ID/       record.json  upper/  work/  merged/
 *                          with a limit: layer.img, mounted as layer/, with upper/ and work/ in it
 *     stages/              what is being prepared; thrown away at open
 *     trash/               what is being removed
 */
export class Snapshotter implements SnapshotStore {
  readonly filesystem: string;
  readonly #places: Places;
  /** Undefined: overlays are not mounted, {@link PlainTrees} stand for them. */
  readonly #method: OverlayMethod | undefined;
  readonly #plain: PlainTrees;
  readonly #table: LayerTable;
  readonly #containers: Map<string, Container>;
  readonly #trash: Trash;
  readonly #gate: SyncGate;
  readonly #stages = new Set<OverlayStage>();
  readonly #usages = new Map<string, Promise<TreeUsage>>();
  readonly #logger: Logger;
  #mapped: MappedTree | undefined;

  private constructor(options: SnapshotterOptions, places: Places, method: OverlayMethod | undefined) {
    const { root, logger = silentLogger } = options;
    this.#places = places;
    this.#method = method;
    this.#logger = logger;
    this.filesystem = filesystemType(root);
    this.#trash = new Trash(places.trash, logger);
    this.#plain = new PlainTrees(places.stages, this.#trash);
    this.#gate = new SyncGate(() => syncFilesystem(root));
    const layers = readRecords(places.layers, parseLayer, logger);
    const containers = readRecords(places.containers, parseContainer, logger);
    this.#table = new LayerTable(places.layers, layers.records);
    const mounts = new Set(findMounts(places.containers).map(({ mountPoint }) => mountPoint));
    const mounted = (id: string) => mounts.has(join(places.containers, id, "merged"));
    this.#containers = new Map(
      containers.records.map((record) => [record.id, { ...record, mounted: mounted(record.id) }]),
    );
    for (const broken of [...layers.broken, ...containers.broken]) discard(broken, places.trash);
  }

  /**
   * Opens the store and cleans up what an earlier process left half-done.
   *
   * @throws Unsupported when overlays cannot be mounted on the root's file system
   */
  static async open(options: SnapshotterOptions): Promise<Snapshotter> {
    const { root } = options;
    const place = (name: string) => join(root, name);
    const places: Places = {
      layers: place("layers"),
      containers: place("containers"),
      stages: place("stages"),
      trash: place("trash"),
      empty: place("empty"),
    };
    try {
      mkdirSync(root, { recursive: true, mode: 0o710 });
      mkdirSync(places.trash, { recursive: true, mode: 0o700 });
      for (const path of Object.values(places)) mkdirSync(path, { recursive: true, mode: 0o710 });
      for (const name of readdirSync(places.stages)) {
        if (name !== PROBE) discard(join(places.stages, name), places.trash);
      }
    } catch (error) {
      throw explainDiskError(error, root);
    }
    const snapshotter = new Snapshotter(
      options,
      places,
      options.copies === true ? undefined : probeOverlay(places.stages, { driver: options.driver ?? "overlay2" }),
    );
    snapshotter.#trash.empty();
    await snapshotter.#openWritableLayers();
    if (options.mapping !== undefined) snapshotter.#openMapping(root, options.mapping);
    return snapshotter;
  }

  /** Writable layers with a limit are mounted for as long as the store is open, so that they can be read. */
  async #openWritableLayers(): Promise<void> {
    for (const container of this.#containers.values()) {
      try {
        await openWritableLayer(this.#directoryOf(container.id), container);
      } catch (error) {
        this.#logger.error("the writable layer of a container cannot be mounted", { container: container.id, error });
      }
    }
  }

  #openMapping(root: string, mapping: SnapshotMapping): void {
    const mapped = new MappedTree(root, mapping);
    for (const place of [root, this.#places.containers]) mapped.openWay(place);
    probeOverlay(mapped.pathOf(this.#places.stages), { plain: this.#places.stages });
    this.#mapped = mapped;
  }

  /**
   * Gives the removal of files a moment; the next to open goes on with it. Mounts of containers stay: these outlive the
   * process.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const container of this.#containers.values()) {
      if (!container.mounted) await closeWritableLayer(this.#directoryOf(container.id), container);
    }
    await this.#trash.close();
    this.#mapped?.[Symbol.dispose]();
    this.#mapped = undefined;
  }

  /** What mounts the file systems of containers. */
  get driver(): StorageDriver {
    return this.#method === "fuse" ? "fuse-overlayfs" : "overlay2";
  }

  has(chainId: string): boolean {
    return this.#table.chain(chainId) !== undefined;
  }

  async prepareLayer(chainId: string, parentChainId?: string): Promise<LayerStage> {
    const name = layerDirectoryName(chainId);
    const parent = this.#parentCommit(parentChainId);
    const path = join(this.#places.stages, `${name.slice(0, 19)}-${randomBytes(6).toString("hex")}`);
    const context = {
      table: this.#table,
      gate: this.#gate,
      trash: this.#trash,
      layers: this.#places.layers,
      onEnd: (ended: OverlayStage) => void this.#stages.delete(ended),
    };
    const stage = new OverlayStage(context, { chainId, parentChainId }, path, parent);
    // Known at once, so that the parent is not removed meanwhile and children can refer to it.
    this.#stages.add(stage);
    try {
      await OverlayStage.make(path);
    } catch (error) {
      await stage.abort();
      throw error;
    }
    return stage;
  }

  /** Settles with the commit of the parent, which may be there already, or in preparation. */
  #parentCommit(parentChainId: string | undefined): Promise<void> {
    if (parentChainId === undefined || this.has(parentChainId)) return Promise.resolve();
    const preparing = [...this.#stages].filter((stage) => stage.chainId === parentChainId);
    if (preparing.length > 0) {
      return Promise.any(preparing.map(({ settled }) => settled)).catch((error: unknown) => {
        const [cause] = error instanceof AggregateError ? error.errors : [error];
        throw new FailedPrecondition(`the layer below, ${parentChainId}, failed: ${errorMessage(cause)}`, { cause });
      });
    }
    throw new NotFound(`the parent layer ${parentChainId} is neither there nor being prepared`, {
      subject: { kind: "layer", name: parentChainId },
    });
  }

  async createContainer(
    id: string,
    parentChainId: string | undefined,
    options: CreateContainerOptions = {},
  ): Promise<void> {
    checkContainerId(id);
    if (this.#containers.has(id)) {
      throw new AlreadyExists(`container ${id} has a file system already`, {
        subject: { kind: "container", name: id },
      });
    }
    if (parentChainId !== undefined) this.#table.directories(parentChainId);
    const { owner, sizeLimit, temporary = false } = options;
    if (this.#method === undefined && !temporary) throw noContainers();
    const container: Container = {
      id,
      parentChainId,
      mounted: false,
      ...(sizeLimit === undefined ? {} : { sizeLimit }),
      ...(owner === undefined ? {} : { owner }),
    };
    // Entered before the first wait: its layers cannot be removed from here on.
    this.#containers.set(id, container);
    try {
      await this.#makeContainer(container, temporary);
      if (this.#method === undefined) {
        await this.#plain.fill(this.#directoryOf(id), parentChainId, this.lowerDirectories(id));
      }
    } catch (error) {
      this.#containers.delete(id);
      throw explainDiskError(error, this.#places.containers);
    }
  }

  async #makeContainer(container: Container, temporary: boolean): Promise<void> {
    const { id, parentChainId, sizeLimit, owner } = container;
    const path = join(this.#places.stages, `container-${randomBytes(8).toString("hex")}`);
    let made = path;
    try {
      await mkdir(path, { mode: 0o710 });
      await mkdir(join(path, "merged"), { mode: 0o700 });
      const root = parentChainId === undefined ? undefined : statSync(this.#table.contentOf(parentChainId));
      await makeWritableLayer(path, sizeLimit, root);
      {
        await using file = await open(join(path, RECORD_FILE), "wx", 0o600);
        await file.writeFile(JSON.stringify({ id, parentChainId, sizeLimit, owner }));
        if (!temporary) await file.sync();
      }
      if (!temporary) await syncDirectory(path);
      await rename(path, this.#directoryOf(id));
      made = this.#directoryOf(id);
      if (!temporary) await syncDirectory(this.#places.containers);
      await openWritableLayer(made, container);
    } catch (error) {
      await this.#trash.take(made);
      throw error;
    }
  }

  async layerFromContainer(
    id: string,
    chainId: string,
    { edited = false }: { readonly edited?: boolean } = {},
  ): Promise<LayerStage> {
    const { parentChainId } = this.#container(id);
    await this.unmountContainer(id);
    const stage = await this.prepareLayer(chainId, parentChainId);
    try {
      await rename(this.upperDirectory(id), stage.directory);
      if (this.#method === undefined && !edited) await this.#plain.keep(this.#directoryOf(id), chainId, true);
      await this.removeContainer(id);
      return stage;
    } catch (error) {
      await stage.abort();
      throw explainDiskError(error, this.#places.containers);
    }
  }

  async writeDifference(id: string, tree: string): Promise<void> {
    using held = new DisposableStack();
    const lowers = holdDirectories(this.lowerDirectories(id), held);
    await writeDifferenceAway({ tree, lowers, target: this.upperDirectory(id) });
  }

  mountContainer(id: string, options: MountContainerOptions = {}): string {
    const container = this.#container(id);
    const target = this.mergedDirectory(id);
    if (container.mounted) return target;
    if (this.#method === undefined) {
      container.readOnly = options.readOnly === true;
      container.mounted = true;
      return target;
    }
    const own = this.lowerDirectories(id);
    const lowers = own.length === 0 ? [this.#places.empty] : own;
    const directories = { lowers, upper: this.upperDirectory(id), work: this.workDirectory(id) };
    try {
      const { mapped = false } = options;
      if (mapped !== false) this.#mountMapped(this.#method, container, { ...directories, target, options }, mapped);
      else mountOverlay(this.#method, { ...directories, target, options });
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      throw new Internal(`the file system of container ${id} cannot be mounted: ${errorMessage(error)}`, {
        cause: error,
        subject: { kind: "container", name: id },
      });
    }
    container.mounted = true;
    return target;
  }

  #mountMapped(
    method: OverlayMethod,
    { id, sizeLimit }: Container,
    { lowers, upper, work, ...rest }: OverlayMount,
    mapping: true | SnapshotMapping,
  ): void {
    // The overlay keeps what it needs of a tree that is mapped for it alone.
    using own = mapping === true ? undefined : this.#mapFor(mapping);
    const mapped = own ?? this.#mapped;
    if (mapped === undefined) throw new Unsupported("this engine has no user namespace for containers");
    const directory = this.#directoryOf(id);
    mapped.openWay(directory);
    const below = lowers.map((path) => mapped.pathOf(path));
    if (sizeLimit === undefined) {
      mountOverlay(method, { lowers: below, upper: mapped.pathOf(upper), work: mapped.pathOf(work), ...rest });
      return;
    }
    const other = join(directory, "mapped");
    mapped.mountOther(dirname(upper), other);
    try {
      mountOverlay(method, { lowers: below, upper: join(other, "upper"), work: join(other, "work"), ...rest });
    } finally {
      // The overlay keeps what it needs of it.
      detachMount(other);
    }
  }

  /** At the place of the store's own mapping: what has one has no others. */
  #mapFor(mapping: SnapshotMapping): MappedTree {
    if (this.#mapped !== undefined) throw new Unsupported("this engine has one user namespace for all containers");
    const root = dirname(this.#places.containers);
    for (const place of [root, this.#places.containers]) MappedTree.openToAll(place);
    return new MappedTree(root, mapping);
  }

  async unmountContainer(id: string): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined || !container.mounted) return;
    if (this.#method === undefined) {
      const lowers = this.lowerDirectories(id);
      if (container.readOnly !== true) {
        await this.#plain.settle(this.#directoryOf(id), this.upperDirectory(id), lowers);
      }
      container.mounted = false;
      return;
    }
    await releaseMountsBelow(this.mergedDirectory(id));
    container.mounted = false;
  }

  async removeContainer(id: string): Promise<void> {
    checkContainerId(id);
    const container = this.#containers.get(id);
    if (this.#method === undefined && container !== undefined) await this.#letGo(container);
    else await this.unmountContainer(id);
    if (container !== undefined) await closeWritableLayer(this.#directoryOf(id), container);
    await this.#trash.take(this.#directoryOf(id));
    this.#containers.delete(id);
  }

  /** What was written to a copy goes with it; one that was only read serves the next. */
  async #letGo(container: Container): Promise<void> {
    const { id, parentChainId, readOnly = false } = container;
    container.mounted = false;
    if (readOnly && parentChainId !== undefined) await this.#plain.keep(this.#directoryOf(id), parentChainId, false);
  }

  upperDirectory(id: string): string {
    return join(writableDirectory(this.#directoryOf(id), this.#containers.get(id)?.sizeLimit), "upper");
  }

  workDirectory(id: string): string {
    return join(writableDirectory(this.#directoryOf(id), this.#containers.get(id)?.sizeLimit), "work");
  }

  mergedDirectory(id: string): string {
    return join(this.#directoryOf(id), "merged");
  }

  lowerDirectories(id: string): readonly string[] {
    const { parentChainId } = this.#container(id);
    return parentChainId === undefined ? [] : this.chainDirectories(parentChainId);
  }

  chainDirectories(chainId: string): readonly string[] {
    return this.#table.directories(chainId);
  }

  usage(id: string): Promise<TreeUsage> {
    this.#container(id);
    return measureTree(this.upperDirectory(id));
  }

  layerUsage(chainId: string): Promise<TreeUsage> {
    if (this.#table.get(chainId) === undefined) this.#table.directories(chainId);
    // Layers never change, so counting once is enough.
    let usage = this.#usages.get(chainId);
    if (usage === undefined) {
      usage = measureTree(this.#table.contentOf(chainId));
      this.#usages.set(chainId, usage);
      usage.catch(() => this.#usages.delete(chainId));
    }
    return usage;
  }

  async layersSize(): Promise<number> {
    const usages = await Promise.all(this.#table.list().map(({ chainId }) => this.layerUsage(chainId)));
    return usages.reduce((sum, { size }) => sum + size, 0);
  }

  async removeLayer(chainId: string): Promise<void> {
    if (this.#table.get(chainId) === undefined) return;
    const user = this.#userOf(chainId);
    if (user !== undefined) {
      throw new Conflict(`layer ${chainId} is used by ${user}`, { subject: { kind: "layer", name: chainId } });
    }
    await this.#dropLayer(chainId);
  }

  async #dropLayer(chainId: string): Promise<void> {
    const layer = this.#table.get(chainId);
    if (layer === undefined) return;
    this.#table.delete(chainId);
    this.#usages.delete(chainId);
    try {
      await this.#trash.take(this.#table.directoryOf(chainId));
    } catch (error) {
      this.#table.add(layer);
      throw explainDiskError(error, this.#places.layers);
    }
  }

  /** What directly needs a layer, for messages. */
  #userOf(chainId: string): string | undefined {
    if (this.#table.hasChildren(chainId)) return "another layer";
    for (const { id, parentChainId } of this.#containers.values()) {
      if (parentChainId === chainId) return `container ${id}`;
    }
    for (const stage of this.#stages) if (stage.parentChainId === chainId) return "a layer that is being prepared";
    return undefined;
  }

  listLayers(): readonly LayerInfo[] {
    return this.#table.list();
  }

  /** Whether a container has a readable record, and all layers that it lies on. */
  hasContainer(id: string): boolean {
    const container = this.#containers.get(id);
    if (container === undefined) return false;
    try {
      if (container.parentChainId !== undefined) this.chainDirectories(container.parentChainId);
      return true;
    } catch (error) {
      if (error instanceof NotFound) return false;
      throw error;
    }
  }

  listContainers(): readonly ContainerInfo[] {
    return [...this.#containers.values()].map((container) => ({ ...container }));
  }

  async sweep(isReferenced: (chainId: string) => boolean): Promise<readonly LayerInfo[]> {
    const removed: LayerInfo[] = [];
    // Taking a layer away may free the one below it.
    for (;;) {
      const layer = this.#table
        .list()
        .find(({ chainId }) => !isReferenced(chainId) && this.#userOf(chainId) === undefined);
      if (layer === undefined) break;
      await this.#dropLayer(layer.chainId);
      removed.push(layer);
    }
    await this.#plain.sweep((chainId) => this.has(chainId));
    return removed;
  }

  async reconcile(liveIds: Iterable<string>): Promise<void> {
    const live = new Set(liveIds);
    for (const { id, owner } of this.listContainers()) {
      const [container = id] = id.split("-");
      if (owner !== undefined || live.has(id) || live.has(container)) continue;
      this.#logger.info("removing the file system of a container that is gone", { container: id });
      await this.removeContainer(id);
    }
  }

  #directoryOf(id: string): string {
    return join(this.#places.containers, id);
  }

  #container(id: string): Container {
    const container = this.#containers.get(id);
    if (container === undefined) {
      throw new NotFound(`container ${id} has no file system`, { subject: { kind: "container", name: id } });
    }
    return container;
  }
}

function noContainers(): Unsupported {
  return new Unsupported("an engine without the right to mount has no containers of its own: it only builds", {
    remedy: "start it as root of the machine, or in a container with --privileged",
  });
}

/** Moves something into the trash when nothing is running yet. */
function discard(path: string, trash: string): void {
  renameSync(path, join(trash, randomBytes(8).toString("hex")));
}
