import { finished, type Readable } from "node:stream";
import { PermissionDenied } from "@boxship/base";
import { archivePath, exportTree, extractArchive, statArchivePath } from "@boxship/oci";
import { resolveUser } from "@boxship/runtime";
import { type EngineContext, eventAttributes } from "../context.ts";
import type { ContainersApi, PathStat } from "../engine-api.ts";
import { type ContainerRoot, idsOf, openContainerRoot } from "./container-root.ts";
import type { ContainerRecord } from "./record.ts";
import { isAlive } from "./state.ts";

/** What is mounted there while a container runs is no part of its files. */
const KERNELS_OWN = ["dev", "proc", "sys"];

/** What is at a path of a container. @throws NotFound */
export async function statPath(context: EngineContext, ref: string, path: string): Promise<PathStat> {
  await using root = await openContainerRoot(context, context.containers.resolve(ref));
  // Awaited here: the root must stay until the answer is there.
  return await statArchivePath(root.path, path);
}

/** A path of a container as a tar archive. */
export async function getArchive(
  context: EngineContext,
  ref: string,
  path: string,
): Promise<{ readonly stat: PathStat; readonly stream: Readable }> {
  const record = context.containers.resolve(ref);
  const root = await openContainerRoot(context, record);
  try {
    const hollow = isAlive(record.state) ? KERNELS_OWN : [];
    const { stat, stream } = await archivePath(root.path, path, { hollow, ...idsIn(root) });
    context.events.publish("container", "archive-path", record.id, eventAttributes(record));
    return { stat, stream: closing(context, stream, root) };
  } catch (error) {
    await root[Symbol.asyncDispose]();
    throw error;
  }
}

/** Unpacks a tar archive into a directory of a container. */
export async function putArchive(
  context: EngineContext,
  ref: string,
  path: string,
  archive: Readable,
  options: Parameters<ContainersApi["putArchive"]>[3] = {},
): Promise<void> {
  const record = context.containers.resolve(ref);
  refuseReadOnly(record, path);
  await using root = await openContainerRoot(context, record);
  const { noOverwriteDirNonDir, copyUidGid } = options;
  await extractArchive(root.path, path, archive, {
    ...(noOverwriteDirNonDir === undefined ? {} : { noOverwriteDirNonDir }),
    // Nobody's name is root's: then the files stay whose they are.
    ...(copyUidGid === true && record.effective.user ? { owner: ownerOf(root, record) } : {}),
    ...idsIn(root),
  });
  context.events.publish("container", "extract-to-dir", record.id, eventAttributes(record));
}

function idsIn({ ids }: ContainerRoot): Pick<ContainerRoot, "ids"> {
  return ids === undefined ? {} : { ids };
}

function ownerOf(root: ContainerRoot, record: ContainerRecord): { readonly uid: number; readonly gid: number } {
  const { uid, gid } = resolveUser(root.path, record.effective.user);
  return { uid, gid };
}

/** The mounts of a container are as read-only for its user as for its processes. */
function refuseReadOnly(record: ContainerRecord, path: string): void {
  const absolute = path.startsWith("/") ? path : `/${path}`;
  const mount = record.mounts.findLast(
    ({ destination }) => absolute === destination || absolute.startsWith(`${destination}/`),
  );
  if (mount?.readWrite === false) {
    throw new PermissionDenied("mounted volume is marked read-only", {
      subject: { kind: "container", name: record.name },
    });
  }
  if (mount === undefined && record.hostConfig.readonlyRootfs === true) {
    throw new PermissionDenied("container rootfs is marked read-only", {
      subject: { kind: "container", name: record.name },
    });
  }
}

/** The container's whole file system as a tar archive, without its volumes. */
export async function exportContainer(context: EngineContext, ref: string): Promise<Readable> {
  const record = context.containers.resolve(ref);
  const { id, state } = record;
  const alreadyMounted = context.snapshotter.listContainers().some((entry) => entry.id === id && entry.mounted);
  const path = context.snapshotter.mountContainer(id);
  context.events.publish("container", "export", id, eventAttributes(record));
  return closing(context, exportTree(path, alreadyMounted && isAlive(state) ? idsOf(state.pid) : {}), {
    path,
    [Symbol.asyncDispose]: async () => {
      if (!alreadyMounted) await context.snapshotter.unmountContainer(id);
    },
  });
}

/** The stream as it is; the root is let go of once it has ended, in whatever way. */
function closing(context: EngineContext, stream: Readable, root: ContainerRoot): Readable {
  finished(stream, () => {
    context.background.run("closing a container's file tree", async () => root[Symbol.asyncDispose]());
  });
  return stream;
}
