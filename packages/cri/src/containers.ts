import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorMessage, FailedPrecondition, InvalidArgument, NotFound } from "@boxship/base";
import { type ContainerRecord, type Engine, isAlive } from "@boxship/engine";
import { containerRequest, resourcesOf } from "./container-config.ts";
import { containerItem, containerStatus } from "./container-status.ts";
import type { CriHandlers } from "./contract.ts";
import { type ContainerDoor, containerDoor, podDoor } from "./door-data.ts";
import { checkKernelLimits } from "./kernel-limits.ts";
import type { ContainerConfig } from "./messages/config.ts";
import type { ContainerFilter } from "./messages/status.ts";
import { hasLabels, ifThere } from "./sandboxes.ts";

type ContainerHandlers = Pick<
  CriHandlers,
  | "createContainer"
  | "startContainer"
  | "stopContainer"
  | "removeContainer"
  | "listContainers"
  | "containerStatus"
  | "updateContainerResources"
  | "reopenContainerLog"
>;

/** Containers of pods. Those that others made with the engine are not seen here. */
export function containerHandlers(engine: Engine): ContainerHandlers {
  const { parts, containers } = engine;
  return {
    async createContainer({ podSandboxId, config }) {
      const pod = parts.pods.resolve(podSandboxId);
      if (config?.metadata === undefined) throw new InvalidArgument("the container's metadata is missing");
      if (pod.state !== "ready") throw new FailedPrecondition(`pod ${pod.id} is not ready`);
      await checkKernelLimits(config);
      const { config: podConfig, runtimeHandler } = podDoor(pod);
      const logPath = await logFile(podConfig.logDirectory, config);
      const door: ContainerDoor = { config: { ...config, envs: [] }, logPath: logPath ?? "" };
      const plan = { podId: pod.id, pod: podConfig, runtimeHandler, config, logPath, door: JSON.stringify(door) };
      const { id } = await containers.create(await containerRequest(plan, readProfile));
      return { containerId: id };
    },
    async startContainer({ containerId }) {
      const { id } = ofPod(engine, containerId);
      await containers.start(id);
      return {};
    },
    async stopContainer({ containerId, timeout }) {
      await ifThere(() => containers.stop(ofPod(engine, containerId).id, { timeout: Math.max(0, timeout) }));
      return {};
    },
    async removeContainer({ containerId }) {
      await ifThere(() => containers.remove(ofPod(engine, containerId).id, { force: true, volumes: true }));
      return {};
    },
    async listContainers({ filter }) {
      const records = podContainers(engine, (record) => fits(record, filter));
      return { containers: records.map(containerItem) };
    },
    async containerStatus({ containerId, verbose }) {
      const record = ofPod(engine, containerId);
      return {
        status: containerStatus(parts, record),
        ...(verbose ? { info: { info: JSON.stringify({ pid: isAlive(record.state) ? record.state.pid : 0 }) } } : {}),
      };
    },
    async updateContainerResources({ containerId, linux }) {
      const { id } = ofPod(engine, containerId);
      if (linux === undefined) throw new InvalidArgument("only resources of Linux can be updated");
      await containers.update(id, { resources: resourcesOf(linux) });
      return {};
    },
    async reopenContainerLog({ containerId }) {
      const { id, state } = ofPod(engine, containerId);
      if (!isAlive(state)) throw new FailedPrecondition(`container ${id} is not running`);
      await parts.runtime.reopenLog(id);
      return {};
    },
  };
}

/** The container, if it is one of a pod's. @throws NotFound */
export function ofPod({ parts }: Engine, ref: string): ContainerRecord {
  const record = ref === "" ? undefined : parts.containers.find(ref);
  if (record?.hostConfig.pod !== undefined) return record;
  throw new NotFound(`container "${ref}" not found`, { subject: { kind: "container", name: ref } });
}

/** Newest first. @param fit which ones. @default all */
export function podContainers(
  { parts }: Engine,
  fit: (record: ContainerRecord) => boolean = () => true,
): readonly ContainerRecord[] {
  return parts.containers
    .all()
    .filter((record) => record.hostConfig.pod !== undefined && fit(record))
    .sort((a, b) => b.created - a.created);
}

function fits(record: ContainerRecord, filter: ContainerFilter | undefined): boolean {
  if (filter === undefined) return true;
  if (!record.id.startsWith(filter.id)) return false;
  if (record.hostConfig.pod?.startsWith(filter.podSandboxId) !== true) return false;
  if (filter.state !== undefined && filter.state.state !== containerItem(record).state) return false;
  return hasLabels(containerDoor(record).config.labels, filter.labelSelector);
}

/** Where the log goes; its directory is made. Without both halves of the path there is none. */
async function logFile(directory: string, { logPath }: ContainerConfig): Promise<string | undefined> {
  if (directory === "" || logPath === "") return undefined;
  const path = join(directory, logPath);
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  return path;
}

async function readProfile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new InvalidArgument(`seccomp profile ${path} cannot be read: ${errorMessage(cause)}`, { cause });
  }
}
