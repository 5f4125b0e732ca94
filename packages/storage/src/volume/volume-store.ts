import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { readdir, unlink, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { KeyedMutex, type Logger, silentLogger, syncDirectory } from "@boxship/base";
import {
  AlreadyExists,
  Conflict,
  errorMessage,
  FailedPrecondition,
  InvalidArgument,
  NotFound,
  systemCode,
} from "@boxship/base/errors";
import { isMountPoint, releaseMountsBelow } from "@boxship/kernel";
import type { TreeUsage } from "../contract.ts";
import { parseLimit } from "../image/filesystem-image.ts";
import { Trash } from "../overlay/trash.ts";
import { copyTreeAway, measureTree, mountAway, mountImageAway } from "../storage-pool.ts";
import { explainDiskError } from "../tree/disk-error.ts";
import { emptyDirectoryAway } from "../tree/empty-directory.ts";
import { imageUsage, layOutImage, limitVolume, settleLimit } from "./volume-limit.ts";
import { parseVolumeOptions, resolveAddress, type VolumeMount, type VolumeOptions } from "./volume-options.ts";
import {
  checkVolumeName,
  DATA,
  FILLING,
  IMAGE,
  readVolume,
  USERS,
  type Volume,
  type VolumeInfo,
} from "./volume-record.ts";
import { renameVolume } from "./volume-rename.ts";
import {
  createSnapshot,
  listSnapshots,
  removeSnapshot,
  restoreSnapshot,
  settleRestore,
  snapshotContent,
  snapshotNames,
  type VolumeSnapshot,
} from "./volume-snapshots.ts";
import { layOutVolume, publishDirectory, STAGES, TRASH, type VolumeState, volumeOf } from "./volume-state.ts";

export interface VolumeStoreOptions {
  /** Directory of the volumes; made when absent. One process at a time may open it. */
  readonly root: string;
  /** @default silent */
  readonly logger?: Logger;
}

export interface CreateVolumeRequest {
  /** @default 64 hexadecimal digits: an anonymous volume */
  readonly name?: string;
  /** @default "local", the only one */
  readonly driver?: string;
  /** `type`, `device` and `o` as for mount(8). @default {}: a directory */
  readonly options?: Readonly<Record<string, string>>;
  /** @default {} */
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * Named directories that outlive containers (Docker's `local` volume driver).
 *
 *     NAME/   volume.json  _data/  users/CONTAINER  snapshots/SNAPSHOT/_data
 *     .stages/  .trash/
 *
 * A volume is durable when its creation resolves. Volumes with a device are mounted while a container uses them; who uses
 * what survives the process.
 */
export class VolumeStore implements AsyncDisposable {
  readonly #root: string;
  readonly #logger: Logger;
  readonly #volumes = new Map<string, Volume>();
  readonly #locks = new KeyedMutex();
  readonly #trash: Trash;
  readonly #state: VolumeState;

  private constructor({ root, logger = silentLogger }: VolumeStoreOptions) {
    this.#root = root;
    this.#logger = logger;
    this.#trash = new Trash(join(root, TRASH), logger);
    this.#state = { root, logger, volumes: this.#volumes, locks: this.#locks, trash: this.#trash };
  }

  static async open(options: VolumeStoreOptions): Promise<VolumeStore> {
    const { root } = options;
    try {
      mkdirSync(root, { recursive: true, mode: 0o710 });
      // One that an earlier version made let everybody through.
      chmodSync(root, 0o710);
      const store = new VolumeStore(options);
      // What is there stays: on a disk that is full no directory can be made.
      mkdirSync(join(root, STAGES), { recursive: true, mode: 0o700 });
      for (const name of readdirSync(join(root, STAGES))) await store.#trash.take(join(root, STAGES, name));
      await store.#load();
      store.#trash.empty();
      return store;
    } catch (error) {
      throw explainDiskError(error, root);
    }
  }

  async #load(): Promise<void> {
    for (const name of readdirSync(this.#root)) {
      if (name === TRASH || name === STAGES) continue;
      const volume = readVolume(this.#root, name, this.#logger);
      if (volume === undefined) continue;
      this.#volumes.set(name, volume);
      await settleRestore(this.#state, volume);
      await settleLimit(this.#state, volume);
      if (!existsSync(join(volume.directory, FILLING))) continue;
      // It was empty when the copy began that a crash has cut short.
      await emptyDirectoryAway(volume.mountpoint);
      await unlink(join(volume.directory, FILLING));
    }
  }

  /** Gives the removal of files a moment; the next to open goes on with it. Mounts stay: containers outlive the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#trash.close();
  }

  list(): readonly VolumeInfo[] {
    return [...this.#volumes.values()].map(describe);
  }

  /** @throws NotFound */
  get(name: string): VolumeInfo {
    return describe(this.#volume(name));
  }

  /**
   * Makes a volume, or returns the one that has the name.
   *
   * @throws Conflict when that one has other options; NotFound for an unknown driver
   */
  async create(request: CreateVolumeRequest): Promise<VolumeInfo> {
    const { name = randomBytes(32).toString("hex"), driver = "local", options = {}, labels = {} } = request;
    checkVolumeName(name);
    if (driver !== "local") {
      throw new NotFound(`volume driver ${JSON.stringify(driver)} not found`, {
        subject: { kind: "volume driver", name: driver },
        remedy: "the only volume driver is local",
      });
    }
    const mount = this.#parseOptions(name, options);
    return await this.#locks.run(name, async () => {
      const existing = this.#volumes.get(name);
      if (existing !== undefined) {
        requireSameOptions(existing, options);
        return describe(existing);
      }
      return await this.#make({ name, labels, options }, mount);
    });
  }

  /**
   * Makes a volume with content. It appears when all of that is there.
   *
   * @param fill puts the content into the directory that it is given
   * @throws AlreadyExists when there is one of that name
   */
  async createFilled(
    { name, labels = {} }: { readonly name: string; readonly labels?: Readonly<Record<string, string>> },
    fill: (directory: string) => Promise<void>,
  ): Promise<VolumeInfo> {
    checkVolumeName(name);
    return await this.#locks.run(name, async () => {
      if (this.#volumes.has(name)) {
        throw new AlreadyExists(`volume ${name} exists already`, { subject: { kind: "volume", name } });
      }
      return await this.#make({ name, labels, options: {} }, undefined, fill);
    });
  }

  async #make(
    request: Pick<VolumeInfo, "name" | "labels" | "options">,
    mount: VolumeMount | undefined,
    fill?: (directory: string) => Promise<void>,
  ): Promise<VolumeInfo> {
    const directory = join(this.#root, request.name);
    const info: VolumeInfo = { ...request, driver: "local", mountpoint: join(directory, DATA), created: Date.now() };
    try {
      const lay = async (stage: string) => {
        await layOutVolume(stage, info);
        await fill?.(join(stage, DATA));
        if (mount?.limit !== undefined) await layOutImage(stage, mount.limit);
      };
      const deep = fill !== undefined || mount?.limit !== undefined;
      await publishDirectory(this.#state, directory, lay, { deep });
    } catch (error) {
      throw explainDiskError(error, this.#root);
    }
    this.#volumes.set(info.name, { ...info, directory, mount, users: new Set() });
    return info;
  }

  /** Another volume with the same content, or with that of one of its snapshots. */
  async clone(
    name: string,
    target: { readonly name: string; readonly labels?: Readonly<Record<string, string>> },
    snapshot?: string,
  ): Promise<VolumeInfo> {
    const copy = (root: string) => (directory: string) =>
      copyTreeAway({ root, path: "/", target: directory }).then(() => {});
    return await this.withContent(name, async (root) => {
      if (snapshot === undefined) return await this.createFilled(target, copy(root));
      return await this.#locks.run(`${name}/${snapshot}`, () =>
        this.createFilled(target, copy(snapshotContent(this.#volume(name), snapshot))),
      );
    });
  }

  /** Works on a volume's content: meanwhile it is mounted, and stays. */
  async withContent<T>(name: string, work: (directory: string) => Promise<T>): Promise<T> {
    const user = `work-${randomBytes(8).toString("hex")}`;
    const directory = await this.mount(name, user);
    try {
      return await work(directory);
    } finally {
      await this.unmount(name, user);
    }
  }

  /** See {@link renameVolume}. */
  async rename(name: string, newName: string): Promise<void> {
    await renameVolume(this.#state, name, newName);
  }

  /** See {@link createSnapshot}. */
  async snapshot(name: string, snapshot: string): Promise<void> {
    try {
      await this.withContent(name, () => createSnapshot(this.#state, name, snapshot));
    } catch (error) {
      throw explainDiskError(error, this.#root);
    }
  }

  /** See {@link limitVolume}. @param size as in the option `size` */
  async limit(name: string, size: string): Promise<void> {
    const bytes = parseLimit(size);
    try {
      await limitVolume(this.#state, name, bytes);
    } catch (error) {
      throw explainDiskError(error, this.#root);
    }
  }

  async snapshots(name: string): Promise<readonly VolumeSnapshot[]> {
    return await listSnapshots(this.#state, name);
  }

  async removeSnapshot(name: string, snapshot: string): Promise<void> {
    await removeSnapshot(this.#state, name, snapshot);
  }

  /** See {@link restoreSnapshot}. */
  async restoreSnapshot(name: string, snapshot: string): Promise<void> {
    try {
      await restoreSnapshot(this.#state, name, snapshot);
    } catch (error) {
      throw explainDiskError(error, this.#root);
    }
  }

  #parseOptions(name: string, options: VolumeOptions): VolumeMount | undefined {
    try {
      return parseVolumeOptions(options);
    } catch (error) {
      if (!(error instanceof InvalidArgument)) throw error;
      const { message, remedy } = error;
      throw new InvalidArgument(`create ${name}: ${message}`, {
        subject: { kind: "volume", name },
        ...(remedy === undefined ? {} : { remedy }),
      });
    }
  }

  /**
   * @param options.force although there are snapshots, which go with it
   * @throws Conflict while a container has it mounted, or it has snapshots; NotFound
   */
  async remove(name: string, { force = false }: { readonly force?: boolean } = {}): Promise<void> {
    await this.#locks.run(name, async () => {
      const volume = this.#volume(name);
      const snapshots = force ? [] : await snapshotNames(volume);
      if (snapshots.length > 0) {
        throw new Conflict(`volume ${name} has snapshots: ${snapshots.join(", ")}`, {
          subject: { kind: "volume", name },
          remedy: "remove them first, or force the removal of all",
        });
      }
      if (volume.users.size > 0) {
        throw new Conflict(`volume ${name} is in use by ${[...volume.users].join(", ")}`, {
          subject: { kind: "volume", name },
          remedy: "remove the containers that use it first",
        });
      }
      await releaseMountsBelow(volume.directory);
      await this.#trash.take(volume.directory);
      await syncDirectory(this.#root);
      this.#volumes.delete(name);
    });
  }

  /** Readies a volume for a container and returns the directory to bind. Idempotent per container. */
  async mount(name: string, containerId: string): Promise<string> {
    return await this.#locks.run(name, async () => {
      const volume = this.#volume(name);
      const mark = join(volume.directory, USERS, containerId);
      try {
        await writeFile(mark, "");
      } catch (error) {
        throw explainDiskError(error, this.#root);
      }
      volume.users.add(containerId);
      try {
        await mountDevice(volume);
      } catch (error) {
        await this.#dropUser(volume, containerId);
        throw error;
      }
      return volume.mountpoint;
    });
  }

  /** Says that a container no longer uses a volume; the last one's leaving unmounts it. Idempotent. */
  async unmount(name: string, containerId: string): Promise<void> {
    await this.#locks.run(name, async () => {
      const volume = this.#volumes.get(name);
      if (volume === undefined || !volume.users.has(containerId)) return;
      await this.#dropUser(volume, containerId);
    });
  }

  async #dropUser(volume: Volume, containerId: string): Promise<void> {
    volume.users.delete(containerId);
    try {
      await unlink(join(volume.directory, USERS, containerId));
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw explainDiskError(error, this.#root);
    }
    if (volume.users.size === 0 && volume.mount !== undefined) await releaseMountsBelow(volume.mountpoint);
  }

  /**
   * Fills a volume that is empty with what an image has at a path: content, and the directory's own owner, mode,
   * attributes and times. All of it or, after a crash, none (volumes with a device: possibly a part).
   *
   * @param rootfs a container's mounted file system; no link in it leads out of it
   * @param target where the volume is seen with the same owners as the container's files. @default its mountpoint
   * @returns whether anything was copied
   */
  async copyUp(name: string, rootfs: string, path: string, target?: string): Promise<boolean> {
    return await this.#locks.run(name, async () => {
      const volume = this.#volume(name);
      if ((await readdir(volume.mountpoint)).length > 0) return false;
      const marker = join(volume.directory, FILLING);
      // Content of a device is not ours to remove after a crash.
      const marked = volume.mount === undefined;
      try {
        if (marked) await writeFile(marker, "");
        const copied = await copyTreeAway({ root: rootfs, path, target: target ?? volume.mountpoint });
        if (marked) await unlink(marker);
        return copied;
      } catch (error) {
        await emptyDirectoryAway(volume.mountpoint);
        throw explainDiskError(error, this.#root);
      }
    });
  }

  /** What a volume takes on the disk, as `du` counts. */
  async usage(name: string): Promise<TreeUsage> {
    const volume = this.#volume(name);
    if (volume.mount?.limit !== undefined) return { size: imageUsage(volume), inodes: 1 };
    return await measureTree(volume.mountpoint);
  }

  /** Lets go of what containers that are not in `liveIds` had mounted when the process before ended. */
  async reconcile(liveIds: Iterable<string>): Promise<void> {
    const live = new Set(liveIds);
    for (const volume of this.#volumes.values()) {
      const gone = [...volume.users].filter((user) => !live.has(user));
      for (const user of gone) await this.unmount(volume.name, user);
      // A mount whose user was never recorded: the crash came in between.
      if (volume.mount !== undefined && volume.users.size === 0) await releaseMountsBelow(volume.mountpoint);
    }
  }

  #volume(name: string): Volume {
    return volumeOf(this.#state, name);
  }
}

function describe({ name, driver, mountpoint, created, labels, options }: VolumeInfo): VolumeInfo {
  return { name, driver, mountpoint, created, labels, options };
}

function requireSameOptions(volume: Volume, options: Readonly<Record<string, string>>): void {
  const wanted = Object.entries(options);
  // Asking by name alone takes the volume as it is.
  if (wanted.length === 0) return;
  const same = wanted.every(([key, value]) => volume.options[key] === value);
  if (same && wanted.length === Object.keys(volume.options).length) return;
  throw new Conflict(`volume ${volume.name} exists with other options`, {
    subject: { kind: "volume", name: volume.name },
    remedy: "remove it first, or use another name",
  });
}

/** In the kernel's own words where there are some. */
function reasonOf(error: unknown): string {
  const message = errorMessage(error);
  const name = /\b(E[A-Z0-9]+)$/.exec(message)?.[1] ?? "";
  const number = (constants.errno as Readonly<Record<string, number>>)[name];
  return number === undefined ? message : getSystemErrorMessage(-number);
}

async function mountDevice({ name, mount, mountpoint, directory }: Volume): Promise<void> {
  if (mount === undefined || isMountPoint(mountpoint)) return;
  if (mount.limit !== undefined) {
    await mountImageAway({ image: join(directory, IMAGE), target: mountpoint });
    return;
  }
  const { type, device, flags, data } = await resolveAddress(mount);
  try {
    await mountAway({ type, source: device, flags, data, target: mountpoint });
  } catch (error) {
    const flagText = flags === 0 ? "" : `, flags: 0x${flags.toString(16)}`;
    const what = `mount ${device}:${mountpoint}${flagText}${data === "" ? "" : `, data: ${data}`}`;
    const failure = `failed to mount local volume: ${what}: ${reasonOf(error)}`;
    throw new FailedPrecondition(`error while mounting volume '${mountpoint}': ${failure}`, {
      cause: error,
      subject: { kind: "volume", name },
      remedy: /\bENODEV$/.test(errorMessage(error))
        ? `this kernel has no file system ${JSON.stringify(type)}: load its module, or use another type`
        : `check the volume's options: type=${type}, device=${device}, o=${data}`,
    });
  }
}
