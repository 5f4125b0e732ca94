import { posix } from "node:path";
import {
  AlreadyExists,
  asBoxshipError,
  FailedPrecondition,
  InvalidArgument,
  NotFound,
  systemCode,
} from "@boxship/base";
import { mountIntoContainer, unmountFromContainer } from "@boxship/storage";
import { type EngineContext, eventAttributes } from "../context.ts";
import { remapOf } from "../remap/remap.ts";
import { volumeResolver } from "../volume/volume-ensure.ts";
import { cleanDestination, parseBind } from "./bind-parse.ts";
import type { HostConfig, MountSpec } from "./config.ts";
import { mountSetOf, withMountSet } from "./container-edit.ts";
import { beginRecreation, finishRecreation, refuseEdited } from "./container-recreate.ts";
import { resolveMounts } from "./mounts-resolve.ts";
import type { ContainerRecord, MountPoint } from "./record.ts";
import { isRecursivelyReadOnly } from "./recursive-read-only.ts";
import { mountKey, prepareSource } from "./start-rootfs.ts";
import { isAlive } from "./state.ts";

/**
 * Mounts of a container that exists. A stopped one has them at its next start; into one that runs they are mounted at once.
 * What the kernel refuses while the process runs is done by `container-recreate.ts` for a caller who agrees to that.
 *
 * Durable: the record names the place (`unsettledMount`) before the kernel is asked and takes it back with the result. After
 * a crash in between the record decides, and {@link settleMount} makes the container agree; where the kernel refuses that,
 * the container decides.
 */

/** One mount, as `-v` or as `--mount` writes it. */
export type MountToAdd = { readonly bind: string } | { readonly mount: MountSpec };

export interface MountChangeOptions {
  /** Give the container a new process where the kernel refuses the change to the one that runs. @default false */
  readonly recreate?: boolean;
}

/** Adds a mount. @throws AlreadyExists something is mounted there; InvalidArgument, NotFound */
export async function addMount(
  context: EngineContext,
  ref: string,
  asked: MountToAdd,
  options: MountChangeOptions = {},
): Promise<MountPoint> {
  const { id } = context.containers.resolve(ref);
  using pins = new DisposableStack();
  await using undo = new AsyncDisposableStack();
  const planned = await context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    refuseRemoved(record);
    refuseEdited(record);
    const hostConfig: HostConfig = "bind" in asked ? { binds: [asked.bind] } : { mounts: [asked.mount] };
    const request = { ...hostConfig, volumeDriver: record.hostConfig.volumeDriver ?? "" };
    const [point] = await resolveMounts(
      { hostConfig: request, anonymousPaths: [] },
      volumeResolver(context, pins, undo),
    );
    if (point === undefined) throw new InvalidArgument("no mount was given");
    refuseTaken(record, point.destination);
    const added = withMount(record, point, asked);
    if (isAlive(record.state) && !(await mountAtOnce(context, record, point, { ...options, undo }))) {
      await beginRecreation(context, record, added);
      return { point, begun: added };
    }
    await context.containers.save(added);
    undo.move();
    context.events.publish("container", "update", id, eventAttributes(added));
    return { point, begun: undefined };
  });
  if (planned.begun === undefined) return planned.point;
  await finishRecreation(context, id);
  undo.move();
  context.events.publish("container", "update", id, eventAttributes(planned.begun));
  return planned.point;
}

/** @returns false when the kernel refuses it and the container is to be made anew for it; nothing is left of it then */
async function mountAtOnce(
  context: EngineContext,
  record: ContainerRecord,
  point: MountPoint,
  { recreate = false, undo: outer }: MountChangeOptions & { readonly undo: AsyncDisposableStack },
): Promise<boolean> {
  await using undo = new AsyncDisposableStack();
  await context.containers.save({ ...record, unsettledMount: { destination: point.destination } });
  undo.defer(() => context.containers.save(record));
  try {
    await mountLive(context, record, point, undo);
  } catch (error) {
    if (recreate && isRefusal(error)) return false;
    throw liveFailure(record, point.destination, error);
  }
  outer.use(undo.move());
  return true;
}

/** Takes a mount away. @param options.volume also its volume, when it is anonymous. @throws NotFound */
export async function removeMount(
  context: EngineContext,
  ref: string,
  path: string,
  options: MountChangeOptions & { readonly volume?: boolean } = {},
): Promise<void> {
  const { id } = context.containers.resolve(ref);
  const destination = cleanDestination(path, path);
  const done = await context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    refuseRemoved(record);
    refuseEdited(record);
    const point = record.mounts.find((candidate) => candidate.destination === destination);
    const isTmpfs = tmpfsKey(record.hostConfig, destination) !== undefined;
    if (point === undefined && !isTmpfs) {
      throw new NotFound(`container ${record.name} has no mount at ${destination}`, {
        subject: { kind: "mount", name: destination },
      });
    }
    const removed = withoutMount(record, destination);
    if (isAlive(record.state)) {
      const unsettled = { destination, before: mountSetOf(record) };
      await context.containers.save({ ...removed, unsettledMount: unsettled });
      try {
        await unmountFromContainer(record.state.pid, destination);
      } catch (error) {
        const begun = options.recreate === true && isRefusal(error);
        if (begun) await beginRecreation(context, record, removed);
        else await context.containers.save(record);
        if (begun) return { point, removed, begun };
        throw liveFailure(record, destination, error);
      }
      if (point !== undefined) await release(context, removed, point);
    }
    await context.containers.save(removed);
    return { point, removed, begun: false };
  });
  if (done.begun) await finishRecreation(context, id);
  context.events.publish("container", "update", id, eventAttributes(done.removed));
  if (options.volume === true && done.point?.anonymous === true) await removeVolume(context, done.point);
}

/** After a crash: what was being mounted or taken away is there only if the record has it. The caller holds the lock. */
export async function settleMount(context: EngineContext, record: ContainerRecord): Promise<ContainerRecord> {
  const { unsettledMount, ...settled } = record;
  if (unsettledMount === undefined) return record;
  const { destination, before } = unsettledMount;
  const isThere = record.mounts.some((point) => point.destination === destination);
  if (isAlive(record.state) && !isThere && tmpfsKey(record.hostConfig, destination) === undefined) {
    try {
      await unmountFromContainer(record.state.pid, destination);
    } catch (error) {
      if (before === undefined || !isRefusal(error)) throw error;
      const kept = withMountSet(settled, before);
      await context.containers.save(kept);
      return kept;
    }
  }
  await context.containers.save(settled);
  return settled;
}

async function mountLive(
  context: EngineContext,
  record: ContainerRecord,
  point: MountPoint,
  undo: AsyncDisposableStack,
): Promise<void> {
  if (!isAlive(record.state)) return;
  const { pid } = record.state;
  const rootfs = context.snapshotter.mergedDirectory(record.id);
  const source = await prepareSource(
    context,
    { record, rootfs, remap: remapOf(context, record.hostConfig), point },
    undo,
  );
  const { destination } = point;
  await mountIntoContainer({
    pid,
    destination,
    rootfs,
    content:
      point.type === "tmpfs"
        ? { type: "tmpfs", options: point.options ?? [] }
        : {
            type: "bind",
            source,
            readOnly: !point.readWrite,
            readOnlyRecursive: isRecursivelyReadOnly(context, point),
            recursive: point.nonRecursive !== true,
            propagation: point.propagation,
          },
  });
  undo.defer(() => unmountFromContainer(pid, destination));
}

/** Kernels and namespaces in which a mount cannot change while its container runs. */
const REFUSALS: ReadonlySet<string> = new Set(["EPERM", "EINVAL", "ENOSYS", "EBUSY"]);

function isRefusal(error: unknown): boolean {
  // Errors of a worker come with their cause as text.
  const code = systemCode(error) ?? "";
  return REFUSALS.has(code) || REFUSALS.has(/: (E[A-Z]+)\b/.exec(asBoxshipError(error).message)?.[1] ?? "");
}

function liveFailure(record: ContainerRecord, destination: string, error: unknown): Error {
  if (!isRefusal(error)) return asBoxshipError(error);
  return new FailedPrecondition(
    `the mount at ${destination} cannot change while container ${record.name} runs: ${asBoxshipError(error).message}`,
    {
      subject: { kind: "mount", name: destination },
      cause: error,
      remedy: "let it have a new process for that, with all else as it is: --recreate",
    },
  );
}

/** Lets go of what a mount showed, unless another one shows it, too. */
async function release(context: EngineContext, record: ContainerRecord, point: MountPoint): Promise<void> {
  if (point.type === "image") await context.images.unmount(`${record.id}-${mountKey(point)}`);
  if (point.type !== "volume" || record.mounts.some(({ name }) => name === point.name)) return;
  await context.volumeStore.unmount(point.name ?? "", record.id);
}

async function removeVolume(context: EngineContext, { name = "" }: MountPoint): Promise<void> {
  if (context.containers.all().some(({ mounts }) => mounts.some((mount) => mount.name === name))) return;
  await context.volumeStore.remove(name);
  context.events.publish("volume", "destroy", name, { driver: "local" });
}

function refuseRemoved({ name, state }: ContainerRecord): void {
  if (state.status !== "removing" && state.status !== "dead") return;
  throw new FailedPrecondition(`container ${name} is being removed`, { subject: { kind: "container", name } });
}

function refuseTaken(record: ContainerRecord, destination: string): void {
  const taken =
    record.mounts.some((point) => point.destination === destination) ||
    tmpfsKey(record.hostConfig, destination) !== undefined;
  if (!taken) return;
  throw new AlreadyExists(`Duplicate mount point: ${destination}`, { subject: { kind: "mount", name: destination } });
}

function tmpfsKey({ tmpfs = {} }: HostConfig, destination: string): string | undefined {
  return Object.keys(tmpfs).find((path) => posix.resolve("/", path) === destination);
}

function withMount(record: ContainerRecord, point: MountPoint, asked: MountToAdd): ContainerRecord {
  const { hostConfig } = record;
  const depth = (path: string) => path.split("/").length;
  return {
    ...record,
    mounts: [...record.mounts, point].sort((a, b) => depth(a.destination) - depth(b.destination)),
    hostConfig:
      "bind" in asked
        ? { ...hostConfig, binds: [...(hostConfig.binds ?? []), asked.bind] }
        : { ...hostConfig, mounts: [...(hostConfig.mounts ?? []), asked.mount] },
  };
}

function withoutMount(record: ContainerRecord, destination: string): ContainerRecord {
  const { hostConfig } = record;
  const { binds, mounts, tmpfs, ...rest } = hostConfig;
  const key = tmpfsKey(hostConfig, destination);
  const kept = Object.entries(tmpfs ?? {}).filter(([path]) => path !== key);
  return {
    ...record,
    mounts: record.mounts.filter((point) => point.destination !== destination),
    hostConfig: {
      ...rest,
      ...(binds === undefined ? {} : { binds: binds.filter((bind) => parseBind(bind).destination !== destination) }),
      ...(mounts === undefined
        ? {}
        : { mounts: mounts.filter(({ target }) => cleanDestination(target, target) !== destination) }),
      ...(tmpfs === undefined ? {} : { tmpfs: Object.fromEntries(kept) }),
    },
  };
}
