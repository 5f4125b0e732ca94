import { field, message, type ValueOf } from "@boxship/grpc";
import {
  ContainerMetadata,
  ImageSpec,
  Int64Value,
  LinuxContainerResources,
  Mount,
  PodSandboxMetadata,
} from "./config.ts";

/** What is told of pods, containers and images, by the CRI v1. Moments are nanoseconds since the epoch. */

export type PodIP = ValueOf<typeof PodIP>;
export const PodIP = message("PodIP", {
  ip: field.string(1),
});

export type PodSandboxNetworkStatus = ValueOf<typeof PodSandboxNetworkStatus>;
export const PodSandboxNetworkStatus = message("PodSandboxNetworkStatus", {
  ip: field.string(1),
  additionalIps: field.messages(2, PodIP),
});

export type Namespace = ValueOf<typeof Namespace>;
export const Namespace = message("Namespace", {});

export type LinuxPodSandboxStatus = ValueOf<typeof LinuxPodSandboxStatus>;
export const LinuxPodSandboxStatus = message("LinuxPodSandboxStatus", {
  namespaces: field.message(1, Namespace),
});

export type PodSandboxStatus = ValueOf<typeof PodSandboxStatus>;
export const PodSandboxStatus = message("PodSandboxStatus", {
  id: field.string(1),
  metadata: field.message(2, PodSandboxMetadata),
  state: field.int32(3),
  createdAt: field.big(4),
  network: field.message(5, PodSandboxNetworkStatus),
  linux: field.message(6, LinuxPodSandboxStatus),
  labels: field.stringMap(7),
  annotations: field.stringMap(8),
  runtimeHandler: field.string(9),
});

export type ContainerResources = ValueOf<typeof ContainerResources>;
export const ContainerResources = message("ContainerResources", {
  linux: field.message(1, LinuxContainerResources),
});

export type LinuxContainerUser = ValueOf<typeof LinuxContainerUser>;
export const LinuxContainerUser = message("LinuxContainerUser", {
  uid: field.int64(1),
  gid: field.int64(2),
  supplementalGroups: field.int64s(3),
});

export type ContainerUser = ValueOf<typeof ContainerUser>;
export const ContainerUser = message("ContainerUser", {
  linux: field.message(1, LinuxContainerUser),
});

export type ContainerStatus = ValueOf<typeof ContainerStatus>;
export const ContainerStatus = message("ContainerStatus", {
  id: field.string(1),
  metadata: field.message(2, ContainerMetadata),
  state: field.int32(3),
  createdAt: field.big(4),
  startedAt: field.big(5),
  finishedAt: field.big(6),
  exitCode: field.int32(7),
  image: field.message(8, ImageSpec),
  imageRef: field.string(9),
  reason: field.string(10),
  message: field.string(11),
  labels: field.stringMap(12),
  annotations: field.stringMap(13),
  mounts: field.messages(14, Mount),
  logPath: field.string(15),
  resources: field.message(16, ContainerResources),
  imageId: field.string(17),
  user: field.message(18, ContainerUser),
  stopSignal: field.int32(19),
});

export type PodSandboxStateValue = ValueOf<typeof PodSandboxStateValue>;
export const PodSandboxStateValue = message("PodSandboxStateValue", {
  state: field.int32(1),
});

export type PodSandboxFilter = ValueOf<typeof PodSandboxFilter>;
export const PodSandboxFilter = message("PodSandboxFilter", {
  id: field.string(1),
  state: field.message(2, PodSandboxStateValue),
  labelSelector: field.stringMap(3),
});

export type PodSandbox = ValueOf<typeof PodSandbox>;
export const PodSandbox = message("PodSandbox", {
  id: field.string(1),
  metadata: field.message(2, PodSandboxMetadata),
  state: field.int32(3),
  createdAt: field.big(4),
  labels: field.stringMap(5),
  annotations: field.stringMap(6),
  runtimeHandler: field.string(7),
});

export type ContainerStateValue = ValueOf<typeof ContainerStateValue>;
export const ContainerStateValue = message("ContainerStateValue", {
  state: field.int32(1),
});

export type ContainerFilter = ValueOf<typeof ContainerFilter>;
export const ContainerFilter = message("ContainerFilter", {
  id: field.string(1),
  state: field.message(2, ContainerStateValue),
  podSandboxId: field.string(3),
  labelSelector: field.stringMap(4),
});

export type Container = ValueOf<typeof Container>;
export const Container = message("Container", {
  id: field.string(1),
  podSandboxId: field.string(2),
  metadata: field.message(3, ContainerMetadata),
  image: field.message(4, ImageSpec),
  imageRef: field.string(5),
  state: field.int32(6),
  createdAt: field.big(7),
  labels: field.stringMap(8),
  annotations: field.stringMap(9),
  imageId: field.string(10),
});

export type ContainerAttributes = ValueOf<typeof ContainerAttributes>;
export const ContainerAttributes = message("ContainerAttributes", {
  id: field.string(1),
  metadata: field.message(2, ContainerMetadata),
  labels: field.stringMap(3),
  annotations: field.stringMap(4),
});

export type UInt64Value = ValueOf<typeof UInt64Value>;
export const UInt64Value = message("UInt64Value", {
  value: field.int64(1),
});

export type PsiData = ValueOf<typeof PsiData>;
export const PsiData = message("PsiData", {
  Total: field.int64(1),
  Avg10: field.double(2),
  Avg60: field.double(3),
  Avg300: field.double(4),
});

export type PsiStats = ValueOf<typeof PsiStats>;
export const PsiStats = message("PsiStats", {
  Full: field.message(1, PsiData),
  Some: field.message(2, PsiData),
});

export type CpuUsage = ValueOf<typeof CpuUsage>;
export const CpuUsage = message("CpuUsage", {
  timestamp: field.big(1),
  usageCoreNanoSeconds: field.message(2, UInt64Value),
  usageNanoCores: field.message(3, UInt64Value),
  psi: field.message(4, PsiStats),
});

export type MemoryUsage = ValueOf<typeof MemoryUsage>;
export const MemoryUsage = message("MemoryUsage", {
  timestamp: field.big(1),
  workingSetBytes: field.message(2, UInt64Value),
  availableBytes: field.message(3, UInt64Value),
  usageBytes: field.message(4, UInt64Value),
  rssBytes: field.message(5, UInt64Value),
  pageFaults: field.message(6, UInt64Value),
  majorPageFaults: field.message(7, UInt64Value),
  psi: field.message(8, PsiStats),
});

export type FilesystemIdentifier = ValueOf<typeof FilesystemIdentifier>;
export const FilesystemIdentifier = message("FilesystemIdentifier", {
  mountpoint: field.string(1),
});

export type FilesystemUsage = ValueOf<typeof FilesystemUsage>;
export const FilesystemUsage = message("FilesystemUsage", {
  timestamp: field.big(1),
  fsId: field.message(2, FilesystemIdentifier),
  usedBytes: field.message(3, UInt64Value),
  inodesUsed: field.message(4, UInt64Value),
});

export type SwapUsage = ValueOf<typeof SwapUsage>;
export const SwapUsage = message("SwapUsage", {
  timestamp: field.big(1),
  swapAvailableBytes: field.message(2, UInt64Value),
  swapUsageBytes: field.message(3, UInt64Value),
});

export type IoUsage = ValueOf<typeof IoUsage>;
export const IoUsage = message("IoUsage", {
  timestamp: field.big(1),
  psi: field.message(2, PsiStats),
});

export type ContainerStats = ValueOf<typeof ContainerStats>;
export const ContainerStats = message("ContainerStats", {
  attributes: field.message(1, ContainerAttributes),
  cpu: field.message(2, CpuUsage),
  memory: field.message(3, MemoryUsage),
  writableLayer: field.message(4, FilesystemUsage),
  swap: field.message(5, SwapUsage),
  io: field.message(6, IoUsage),
});

export type ContainerStatsFilter = ValueOf<typeof ContainerStatsFilter>;
export const ContainerStatsFilter = message("ContainerStatsFilter", {
  id: field.string(1),
  podSandboxId: field.string(2),
  labelSelector: field.stringMap(3),
});

export type PodSandboxAttributes = ValueOf<typeof PodSandboxAttributes>;
export const PodSandboxAttributes = message("PodSandboxAttributes", {
  id: field.string(1),
  metadata: field.message(2, PodSandboxMetadata),
  labels: field.stringMap(3),
  annotations: field.stringMap(4),
});

export type NetworkInterfaceUsage = ValueOf<typeof NetworkInterfaceUsage>;
export const NetworkInterfaceUsage = message("NetworkInterfaceUsage", {
  name: field.string(1),
  rxBytes: field.message(2, UInt64Value),
  rxErrors: field.message(3, UInt64Value),
  txBytes: field.message(4, UInt64Value),
  txErrors: field.message(5, UInt64Value),
});

export type NetworkUsage = ValueOf<typeof NetworkUsage>;
export const NetworkUsage = message("NetworkUsage", {
  timestamp: field.big(1),
  defaultInterface: field.message(2, NetworkInterfaceUsage),
  interfaces: field.messages(3, NetworkInterfaceUsage),
});

export type ProcessUsage = ValueOf<typeof ProcessUsage>;
export const ProcessUsage = message("ProcessUsage", {
  timestamp: field.big(1),
  processCount: field.message(2, UInt64Value),
});

export type LinuxPodSandboxStats = ValueOf<typeof LinuxPodSandboxStats>;
export const LinuxPodSandboxStats = message("LinuxPodSandboxStats", {
  cpu: field.message(1, CpuUsage),
  memory: field.message(2, MemoryUsage),
  network: field.message(3, NetworkUsage),
  process: field.message(4, ProcessUsage),
  containers: field.messages(5, ContainerStats),
  io: field.message(6, IoUsage),
});

export type PodSandboxStats = ValueOf<typeof PodSandboxStats>;
export const PodSandboxStats = message("PodSandboxStats", {
  attributes: field.message(1, PodSandboxAttributes),
  linux: field.message(2, LinuxPodSandboxStats),
});

export type PodSandboxStatsFilter = ValueOf<typeof PodSandboxStatsFilter>;
export const PodSandboxStatsFilter = message("PodSandboxStatsFilter", {
  id: field.string(1),
  labelSelector: field.stringMap(2),
});

export type NetworkConfig = ValueOf<typeof NetworkConfig>;
export const NetworkConfig = message("NetworkConfig", {
  podCidr: field.string(1),
});

export type RuntimeConfig = ValueOf<typeof RuntimeConfig>;
export const RuntimeConfig = message("RuntimeConfig", {
  networkConfig: field.message(1, NetworkConfig),
});

export type RuntimeCondition = ValueOf<typeof RuntimeCondition>;
export const RuntimeCondition = message("RuntimeCondition", {
  type: field.string(1),
  status: field.bool(2),
  reason: field.string(3),
  message: field.string(4),
});

export type RuntimeStatus = ValueOf<typeof RuntimeStatus>;
export const RuntimeStatus = message("RuntimeStatus", {
  conditions: field.messages(1, RuntimeCondition),
});

export type RuntimeHandlerFeatures = ValueOf<typeof RuntimeHandlerFeatures>;
export const RuntimeHandlerFeatures = message("RuntimeHandlerFeatures", {
  recursiveReadOnlyMounts: field.bool(1),
  userNamespaces: field.bool(2),
});

export type RuntimeHandler = ValueOf<typeof RuntimeHandler>;
export const RuntimeHandler = message("RuntimeHandler", {
  name: field.string(1),
  features: field.message(2, RuntimeHandlerFeatures),
});

export type RuntimeFeatures = ValueOf<typeof RuntimeFeatures>;
export const RuntimeFeatures = message("RuntimeFeatures", {
  supplementalGroupsPolicy: field.bool(1),
  userNamespacesHostNetwork: field.bool(2),
});

export type LinuxRuntimeConfiguration = ValueOf<typeof LinuxRuntimeConfiguration>;
export const LinuxRuntimeConfiguration = message("LinuxRuntimeConfiguration", {
  cgroupDriver: field.int32(1),
});

export type ImageFilter = ValueOf<typeof ImageFilter>;
export const ImageFilter = message("ImageFilter", {
  image: field.message(1, ImageSpec),
});

export type Image = ValueOf<typeof Image>;
export const Image = message("Image", {
  id: field.string(1),
  repoTags: field.strings(2),
  repoDigests: field.strings(3),
  size: field.int64(4),
  uid: field.message(5, Int64Value),
  username: field.string(6),
  spec: field.message(7, ImageSpec),
  pinned: field.bool(8),
});
