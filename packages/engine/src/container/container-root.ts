import { existsSync, readFileSync } from "node:fs";
import {
  bindMount,
  type FileStatus,
  FileType,
  type IdKind,
  type IdMaps,
  idRanges,
  namespaceId,
  namespacePath,
  releaseMount,
} from "@boxship/kernel";
import { mountTarget } from "@boxship/storage";
import { currentRecord, type EngineContext } from "../context.ts";
import { releaseMounts } from "./container-cleanup.ts";
import type { ContainerRecord } from "./record.ts";
import { type PreparedRootfs, prepareRootfs, sourceStatus } from "./start-rootfs.ts";
import { isAlive } from "./state.ts";

/** A container's file tree as the container sees it, volumes included, for as long as it is not disposed. */
export interface ContainerRoot extends AsyncDisposable {
  readonly path: string;
  /** The container's user namespace, where owners of the tree are ids outside of it. */
  readonly ids?: IdMaps;
}

/**
 * Opens a container's file tree. A running container is looked at through its own mount namespace. For a stopped one
 * everything is mounted for the time, and the container's lock is held: it cannot be started or removed meanwhile.
 */
export async function openContainerRoot(context: EngineContext, record: ContainerRecord): Promise<ContainerRoot> {
  if (isAlive(record.state)) {
    if (existsSync(`/proc/${record.state.pid}/root/`)) return liveRoot(record.state.pid);
    // Its process has just ended, and the end is still being handled.
    await context.waiters.wait(record, "next-exit");
    return openContainerRoot(context, currentRecord(context, record.id));
  }
  const opened = Promise.withResolvers<ContainerRoot>();
  const released = Promise.withResolvers<void>();
  const held = context.locks.run(record.id, async () => {
    const { state } = currentRecord(context, record.id);
    // It was started while the lock was waited for.
    if (isAlive(state)) return opened.resolve(liveRoot(state.pid));
    await using mounted = await mountAll(context, record);
    opened.resolve({ path: mounted.path, [Symbol.asyncDispose]: async () => released.resolve() });
    await released.promise;
  });
  held.catch((error: unknown) => opened.reject(error));
  const root = await opened.promise;
  return {
    path: root.path,
    [Symbol.asyncDispose]: async () => {
      await root[Symbol.asyncDispose]();
      await held;
    },
  };
}

function liveRoot(pid: number): ContainerRoot {
  return { path: `/proc/${pid}/root`, ...idsOf(pid), [Symbol.asyncDispose]: async () => {} };
}

/** The user namespace of a process, if it is another than ours. */
export function idsOf(pid: number): Pick<ContainerRoot, "ids"> {
  if (namespaceId(namespacePath("user", pid)) === namespaceId(namespacePath("user"))) return {};
  const read = (kind: IdKind) => idRanges(kind, readFileSync(`/proc/${pid}/${kind}_map`, "latin1"));
  return { ids: { uids: read("uid"), gids: read("gid") } };
}

async function mountAll(context: EngineContext, record: ContainerRecord): Promise<ContainerRoot> {
  await using undo = new AsyncDisposableStack();
  undo.defer(() => releaseMounts(context, record));
  const rootfs = await prepare(context, record);
  for (const { point, source } of rootfs.mounts) {
    if (source === "") continue;
    const target = mountTarget(rootfs.path, point.destination, isDirectory(await sourceStatus(context, source)));
    bindMount({ source, target, readOnly: !point.readWrite });
    undo.defer(() => releaseMount(target));
  }
  const owned = undo.move();
  return { path: rootfs.path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** {@link prepareRootfs} whose undoing is left to {@link releaseMounts}, which knows it all. */
async function prepare(context: EngineContext, record: ContainerRecord): Promise<PreparedRootfs> {
  return prepareRootfs(context, record, new AsyncDisposableStack(), undefined);
}

function isDirectory({ mode }: FileStatus): boolean {
  return (mode & FileType.Mask) === FileType.Directory;
}
