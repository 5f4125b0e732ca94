import type { EngineContext } from "../context.ts";
import type { ContainerView } from "../engine-api.ts";
import { logPathOf } from "../log/log-path.ts";
import { planLog } from "../log/log-plan.ts";
import type { ContainerRecord } from "./record.ts";
import { networkFiles } from "./start-network.ts";
import { isAlive } from "./state.ts";

/** A container as it is shown: its record and what only the running engine knows. */
export async function containerView(
  context: EngineContext,
  record: ContainerRecord,
  { size = false }: { readonly size?: boolean } = {},
): Promise<ContainerView> {
  const { id } = record;
  const directory = context.containers.directoryOf(id);
  const files = networkFiles(directory);
  const alive = isAlive(record.state);
  const live = context.live.get(id);
  const health = live?.health?.view ?? live?.lastHealth;
  const { kept } = planLog(record.hostConfig.logConfig, context.options.log);
  return {
    ...record,
    imageName: context.images.displayName(record.imageId, record.config.image),
    execIds: [...(live?.execIds ?? [])],
    logPath: kept ? logPathOf(context, id) : "",
    resolvConfPath: files.resolvConf,
    hostnamePath: files.hostname,
    hostsPath: files.hosts,
    sandboxId: alive ? id : "",
    sandboxPath: alive ? sandboxPath(context, id) : "",
    ...(health === undefined ? {} : { health }),
    graph: { name: context.snapshotter.driver, data: graphData(context, id) },
    ...(size ? { size: await sizes(context, record) } : {}),
  };
}

/** Empty for containers in the host's or another container's network. */
function sandboxPath(context: EngineContext, id: string): string {
  return context.network.listSandboxes().find((sandbox) => sandbox.id === id)?.path ?? "";
}

function graphData(context: EngineContext, id: string): Readonly<Record<string, string>> {
  const { snapshotter } = context;
  if (!hasFiles(context, id)) return {};
  return {
    LowerDir: snapshotter.lowerDirectories(id).join(":"),
    UpperDir: snapshotter.upperDirectory(id),
    WorkDir: snapshotter.workDirectory(id),
    MergedDir: snapshotter.mergedDirectory(id),
  };
}

/** A container whose writable layer was lost is shown all the same: it is to be removed. */
function hasFiles({ snapshotter }: EngineContext, id: string): boolean {
  return snapshotter.hasContainer(id);
}

async function sizes(context: EngineContext, record: ContainerRecord) {
  const writable = hasFiles(context, record.id) ? (await context.snapshotter.usage(record.id)).size : 0;
  return { writable, rootfs: writable + context.images.unpackedSize(record.imageId) };
}

/** All containers, newest first. */
export async function listContainers(
  context: EngineContext,
  { all = false, size = false }: { readonly all?: boolean; readonly size?: boolean } = {},
): Promise<readonly ContainerView[]> {
  const records = context.containers.all().filter((record) => all || isShownRunning(record));
  records.sort((a, b) => b.created - a.created);
  return Promise.all(records.map((record) => containerView(context, record, { size })));
}

/** `docker ps` without `-a` shows what runs, is paused, or is about to run again. */
function isShownRunning({ state }: ContainerRecord): boolean {
  return isAlive(state) || state.status === "restarting";
}
