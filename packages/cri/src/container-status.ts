import type { ContainerRecord, Ended, EngineContext } from "@boxship/engine";
import type { Init } from "@boxship/grpc";
import { containerDoor, nanoseconds } from "./door-data.ts";
import type { LinuxContainerResources } from "./messages/config.ts";
import type { Container, ContainerStatus } from "./messages/status.ts";
import { ContainerState, signalValue } from "./messages/values.ts";

/** A container as ContainerStatus tells of it. */
export function containerStatus(context: EngineContext, record: ContainerRecord): Init<ContainerStatus> {
  const { config, logPath } = containerDoor(record);
  return {
    id: record.id,
    metadata: config.metadata,
    createdAt: nanoseconds(record.created),
    ...runOf(record),
    image: { image: imageName(context, record), imageRef: config.image?.image },
    imageRef: record.imageId,
    imageId: record.imageId,
    labels: config.labels,
    annotations: config.annotations,
    mounts: config.mounts,
    logPath,
    resources: { linux: resourcesNow(record) },
    ...userOf(record),
    stopSignal: signalValue(record.effective.stopSignal ?? "SIGTERM"),
  };
}

function userOf({ user }: ContainerRecord): Pick<Init<ContainerStatus>, "user"> {
  if (user === undefined) return {};
  const { uid, gid, groups: supplementalGroups } = user;
  return { user: { linux: { uid, gid, supplementalGroups } } };
}

/** What the pod's author called it, if that still means it: who makes containers names images by their ids. */
function imageName({ images }: EngineContext, record: ContainerRecord): string {
  const { userSpecifiedImage = "" } = containerDoor(record).config.image ?? {};
  return images.displayName(record.imageId, userSpecifiedImage || record.config.image);
}

/** They may have changed since it was made. */
function resourcesNow({ hostConfig }: ContainerRecord): Init<LinuxContainerResources> {
  const { resources = {}, oomScoreAdj } = hostConfig;
  const { cpuShares, cpuPeriod, cpuQuota, memory, memorySwap, cpusetCpus, cpusetMems } = resources;
  return {
    cpuShares,
    cpuPeriod,
    cpuQuota,
    memoryLimitInBytes: memory,
    memorySwapLimitInBytes: memorySwap,
    oomScoreAdj,
    cpusetCpus,
    cpusetMems,
  };
}

/** As other engines have it, whatever a shell would say: nothing has run that could have ended so. */
const START_FAILED = 128;

function runOf(record: ContainerRecord): Init<Partial<ContainerStatus>> {
  const { state } = record;
  switch (state.status) {
    case "running":
    case "paused":
      return { state: ContainerState.Running, startedAt: nanoseconds(state.startedAt) };
    case "created":
      if (state.error === undefined) return { state: ContainerState.Created };
      return {
        state: ContainerState.Exited,
        exitCode: START_FAILED,
        finishedAt: nanoseconds(record.created),
        reason: "StartError",
        message: state.error,
      };
    default: {
      const { exitCode = 255, startedAt = 0, finishedAt = 0, oomKilled = false, error } = state as Partial<Ended>;
      return {
        state: ContainerState.Exited,
        exitCode: error === undefined ? exitCode : START_FAILED,
        startedAt: nanoseconds(startedAt),
        // The monitor reads another clock, which is a little behind.
        finishedAt: nanoseconds(Math.max(startedAt, finishedAt)),
        reason: error !== undefined ? "StartError" : oomKilled ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error",
        ...(error === undefined ? {} : { message: error }),
      };
    }
  }
}

/** A container as lists have it. */
export function containerItem(record: ContainerRecord): Init<Container> {
  const { config } = containerDoor(record);
  return {
    id: record.id,
    podSandboxId: record.hostConfig.pod,
    metadata: config.metadata,
    image: config.image,
    imageRef: record.imageId,
    imageId: record.imageId,
    state: runOf(record).state,
    createdAt: nanoseconds(record.created),
    labels: config.labels,
    annotations: config.annotations,
  };
}
