/**
 * Where container file systems live: a tree of immutable layers by chain id, and per container one writable layer on
 * top of a chain. One process at a time owns a root.
 *
 * Promises of every implementation:
 * - A layer is visible only once it is committed, and then whole, even after a power cut. What was being prepared when the
 *   process died is gone at the next open.
 * - A layer is never changed after its commit, and not removed while a layer, a container or a preparation needs it.
 * - Removing answers at once; the space is returned in the background, also after a crash in between.
 */
export interface SnapshotStore extends AsyncDisposable {
  /** The type of the file system that holds the state, as `docker info` names it: `extfs`, `xfs`, `tmpfs` … */
  readonly filesystem: string;
  /** Whether the layer and all below it are committed. */
  has(chainId: string): boolean;
  /**
   * A place to unpack a layer into. The parent may still be in preparation itself. Several preparations of the same layer
   * may go on at once: the first commit wins, the others end without harm. Throws `NotFound` when the parent is neither
   * committed nor being prepared.
   */
  prepareLayer(chainId: string, parentChainId?: string): Promise<LayerStage>;
  /** Gives a container an empty writable layer. Durable. `AlreadyExists`, or `NotFound` for the chain. */
  createContainer(id: string, parentChainId: string | undefined, options?: CreateContainerOptions): Promise<void>;
  /**
   * Makes a layer of what a container has written: unmounts and removes the container, and gives its files as the stage
   * of that layer on the container's chain. `NotFound` for the container.
   *
   * @param options.edited the writable layer was changed since it was unmounted. @default false
   */
  layerFromContainer(id: string, chainId: string, options?: { readonly edited?: boolean }): Promise<LayerStage>;
  /**
   * Fills the writable layer of a container that was never mounted, so that it shows what is in a tree.
   *
   * @param tree a directory, such as where another container is mounted
   */
  writeDifference(id: string, tree: string): Promise<void>;
  /** Mounts the container's file system (idempotent) and returns where. */
  mountContainer(id: string, options?: MountContainerOptions): string;
  /** Takes the mount away; resolves when what was written through it is safe to be mounted again. Idempotent. */
  unmountContainer(id: string): Promise<void>;
  /** Unmounts and removes the writable layer. Idempotent; the id is free when it resolves. */
  removeContainer(id: string): Promise<void>;
  /** The writable layer: only what the container changed, with overlay's marks for what it removed. */
  upperDirectory(id: string): string;
  workDirectory(id: string): string;
  /** Where {@link mountContainer} mounts. */
  mergedDirectory(id: string): string;
  /** The layers below a container, topmost first. */
  lowerDirectories(id: string): readonly string[];
  /** The directories of a chain of layers, topmost first. `NotFound` when one is missing. */
  chainDirectories(chainId: string): readonly string[];
  /** What the writable layer takes on the disk, as `du` counts. */
  usage(id: string): Promise<TreeUsage>;
  /** What a layer takes on the disk, as `du` counts. */
  layerUsage(chainId: string): Promise<TreeUsage>;
  /** Disk space of all layers. */
  layersSize(): Promise<number>;
  /** Removes a layer. `Conflict` while something needs it; a missing one is success. */
  removeLayer(chainId: string): Promise<void>;
  listLayers(): readonly LayerInfo[];
  listContainers(): readonly ContainerInfo[];
  /** Removes all layers that are not referenced, and that no referenced layer, container or preparation needs. */
  sweep(isReferenced: (chainId: string) => boolean): Promise<readonly LayerInfo[]>;
  /**
   * Unmounts and removes the containers that are not in `liveIds`: what a crash left over. A container `ID-suffix` (an
   * image mounted into another container) belongs to the container `ID`. Those that have another owner stay.
   */
  reconcile(liveIds: Iterable<string>): Promise<void>;
}

/** A layer in preparation. Exactly one of commit and abort must be called. */
export interface LayerStage {
  /** An empty directory to be filled. */
  readonly directory: string;
  /** The directories of the layers below, topmost first; waits until they are committed. */
  lowerDirectories(): Promise<readonly string[]>;
  /**
   * Lets containers be made on the layer, whose content is complete, before it is committed. Until then it counts as
   * absent for {@link SnapshotStore.has}. Containers on it must be gone before it is aborted.
   */
  expose(): void;
  /**
   * Makes the layer durable and visible; waits for the parent's commit. When the parent's preparation fails, so does this.
   *
   * @param size bytes of the files' content
   */
  commit(size: number): Promise<void>;
  /** Throws the preparation away. Nobody may write to the directory any more. Idempotent. */
  abort(): Promise<void>;
}

export interface LayerInfo {
  readonly chainId: string;
  readonly parentChainId: string | undefined;
  /** Bytes of the files' content. */
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly created: number;
}

export interface ContainerInfo {
  readonly id: string;
  readonly parentChainId: string | undefined;
  readonly mounted: boolean;
  /** As {@link CreateContainerOptions.owner}. */
  readonly owner?: string;
}

export interface CreateContainerOptions {
  /**
   * Most bytes of the writable layer, a multiple of 4096. It is a file system in a file then; `Unsupported` where there are
   * no loop devices or no mkfs.ext4.
   */
  readonly sizeLimit?: number;
  /** It need not outlive the process: nothing waits for the disk. @default false */
  readonly temporary?: boolean;
  /** Who keeps a record of it, when that is not the engine: {@link SnapshotStore.reconcile} leaves it to them. */
  readonly owner?: string;
}

/** Which ids containers see, and who is root for them. */
export interface SnapshotMapping {
  /**
   * Path of a user namespace whose ids stand for those on the disk. It must have an id for root of this process, too, or
   * overlay cannot make its own directories.
   */
  readonly userNamespace: string;
  /** Root of the containers, outside of their namespaces. */
  readonly root: { readonly uid: number; readonly gid: number };
}

export interface MountContainerOptions {
  /** SELinux context of all files. */
  readonly mountLabel?: string;
  /** @default false */
  readonly readOnly?: boolean;
  /** With the owners that the store's mapping gives, or another one. @default false */
  readonly mapped?: boolean | SnapshotMapping;
}

/** What lies in a directory, without the directory itself. */
export interface TreeUsage {
  /** Bytes of allocated disk space, files with several links counted once. */
  readonly size: number;
  readonly inodes: number;
}
