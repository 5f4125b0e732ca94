import { readlinkSync } from "node:fs";
import { join } from "node:path";
import {
  DeadlineExceeded,
  FailedPrecondition,
  InvalidArgument,
  makeDirectories,
  NotFound,
  systemCode,
} from "@boxship/base";
import { descriptorPath, type FileStatus, FileType, openInRoot, statxInBackground } from "@boxship/kernel";
import { leadsNowhere, mountTarget } from "@boxship/storage";
import type { EngineContext } from "../context.ts";
import { mapIfPossible, mapSource, ownersFor, type Remap, releaseSources } from "../remap/remap.ts";
import { checkMountPlace, checkOwnPlaces } from "./mount-place.ts";
import type { ContainerRecord, MountPoint } from "./record.ts";
import { isRecursivelyReadOnly } from "./recursive-read-only.ts";
import { mountSharedMemory } from "./shared-memory.ts";

/** A container's file system, mounted, with the sources of everything that is to be mounted into it. */
export interface PreparedRootfs {
  readonly path: string;
  /** Parents before children. */
  readonly mounts: readonly PreparedMount[];
}

export interface PreparedMount {
  readonly point: MountPoint;
  /** What to bind; empty for tmpfs. */
  readonly source: string;
  /** Nothing is mounted below a file, and crun takes what is to be read-only all the way down for a directory. */
  readonly isFile: boolean;
}

/**
 * Mounts the writable layer and readies volumes and bind sources; `undo` takes the mounts back.
 *
 * @param remap whose owners the files are to have. Without it they have those that are on the disk, which are the
 *   container's own ids
 */
export async function prepareRootfs(
  context: EngineContext,
  record: ContainerRecord,
  undo: AsyncDisposableStack,
  remap: Remap | undefined,
): Promise<PreparedRootfs> {
  const { id } = record;
  const path = context.snapshotter.mountContainer(id, ownersFor(context, remap));
  undo.defer(() => context.snapshotter.unmountContainer(id));
  undo.defer(() => releaseSources(remap, id));
  checkOwnPlaces(path);
  mountSharedMemory(context, record, undo, remap);
  const privileged = record.hostConfig.privileged === true;
  const mounts: PreparedMount[] = [];
  for (const point of record.mounts) {
    const linked = leadsNowhere(path, point.destination);
    const source = await prepareSource(context, { record, rootfs: path, remap, point }, undo);
    checkMountPlace({ rootfs: path, destination: point.destination, source, privileged });
    // Runtimes make places that are missing, and do not follow a link of the image that leads nowhere.
    if (linked) mountTarget(path, point.destination, await isDirectory(context, source), remap?.root);
    const isFile = point.type === "bind" && !point.readWrite && (await typeOf(context, source)) !== FileType.Directory;
    mounts.push({ point, source, isFile });
  }
  for (const place of Object.keys(record.hostConfig.tmpfs ?? {})) {
    checkMountPlace({ rootfs: path, destination: place, source: "", privileged });
  }
  const directories = [...Object.keys(record.hostConfig.tmpfs ?? {}), record.effective.workingDir || "/"];
  for (const place of directories) {
    if (leadsNowhere(path, place)) mountTarget(path, place, true, remap?.root);
  }
  return { path, mounts };
}

/** @param source what is to be mounted; empty for tmpfs */
async function isDirectory(context: EngineContext, source: string): Promise<boolean> {
  return source === "" || (await typeOf(context, source)) === FileType.Directory;
}

async function typeOf(context: EngineContext, path: string): Promise<number> {
  return (await sourceStatus(context, path)).mode & FileType.Mask;
}

export interface PrepareSource {
  readonly record: ContainerRecord;
  /** The container's root, mounted. */
  readonly rootfs: string;
  /** As for {@link prepareRootfs}. */
  readonly remap: Remap | undefined;
  readonly point: MountPoint;
}

/** Readies what one mount point shows; `undo` takes it back. */
export async function prepareSource(
  context: EngineContext,
  { record, rootfs, remap, point }: PrepareSource,
  undo: AsyncDisposableStack,
): Promise<string> {
  switch (point.type) {
    case "tmpfs":
      return "";
    case "bind":
      await requireSource(context, point);
      if (point.idMapped !== true || remap === undefined) return point.source;
      return mapSource(remap, record.id, point.source, {
        withBelow: point.nonRecursive !== true,
        readOnly: isRecursivelyReadOnly(context, point) ? "recursive" : !point.readWrite,
      });
    case "volume": {
      const name = point.name ?? "";
      const source = await context.volumeStore.mount(name, record.id);
      undo.defer(() => context.volumeStore.unmount(name, record.id));
      const mapped = (path: string) => withOwners(context, { record, remap, volume: name, path });
      if (point.copyUp === true) {
        const copied = await context.volumeStore.copyUp(name, rootfs, point.destination, mapped(source));
        if (copied)
          context.logger.debug("filled an empty volume from the image", { volume: name, container: record.id });
      }
      return mapped(insideOf(source, point));
    }
    case "image": {
      const key = `${record.id}-${mountKey(point)}`;
      const source = await context.images.mountReadOnly(point.name ?? "", key, ownersFor(context, remap));
      undo.defer(() => context.images.unmount(`${record.id}-${mountKey(point)}`));
      return insideOf(source, point);
    }
  }
}

/** Content of a volume as a container's own ids see it; what is on a device of its own has the owners that it has. */
function withOwners(
  { volumeStore }: EngineContext,
  given: Pick<PrepareSource, "record" | "remap"> & { readonly volume: string; readonly path: string },
): string {
  const { record, remap, volume, path } = given;
  if (remap === undefined || volumeStore.get(volume).options["device"] !== undefined) return path;
  return mapIfPossible(remap, record.id, path);
}

/** A short name for the mount of an image at one place. */
export function mountKey(point: MountPoint): string {
  return Buffer.from(point.destination).toString("hex").slice(-32);
}

const SOURCE_TIMEOUT_MS = 10_000;

/** What a source of a mount is. @throws DeadlineExceeded the server of its file system does not answer */
export async function sourceStatus(context: EngineContext, path: string): Promise<FileStatus> {
  const late = Promise.withResolvers<never>();
  using _timer = context.clock.setTimeout(SOURCE_TIMEOUT_MS, () =>
    late.reject(
      new DeadlineExceeded(`the file system of ${path} does not answer`, {
        subject: { kind: "mount", name: path },
        remedy: "look after its server, or unmount it",
      }),
    ),
  );
  return await Promise.race([statxInBackground(path), late.promise]);
}

/** @throws InvalidArgument when there is nothing to bind, and nothing is to be made for it */
export async function requireSource(
  context: EngineContext,
  point: Pick<MountPoint, "source" | "destination" | "createSource">,
): Promise<void> {
  try {
    await sourceStatus(context, point.source);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    if (point.createSource !== true) {
      throw new InvalidArgument(
        `invalid mount config for type "bind": bind source path does not exist: ${point.source}`,
        { subject: { kind: "mount", name: point.destination }, cause: error },
      );
    }
    await makeDirectories(point.source, 0o755);
  }
}

/** A directory inside a volume or image, pinned through its own descriptor so that no symlink can lead out of it. */
function insideOf(source: string, point: MountPoint): string {
  if (point.subpath === undefined || point.subpath === "." || point.subpath === "") return source;
  try {
    using found = openInRoot(source, point.subpath);
    // Resolved once inside the volume: the name below holds no symlink and no "..".
    return readlinkSync(descriptorPath(found));
  } catch (error) {
    if (systemCode(error) === "ENOENT") {
      throw new NotFound(`cannot access path ${join(source, point.subpath)}: no such file or directory`, {
        subject: { kind: "mount", name: point.destination },
      });
    }
    throw new FailedPrecondition(`subpath ${point.subpath} cannot be mounted`, { cause: error });
  }
}
