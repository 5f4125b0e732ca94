import { field, message, type ValueOf } from "@boxship/grpc";
import { AuthConfig, ContainerConfig, ImageSpec, LinuxContainerResources, PodSandboxConfig } from "./config.ts";
import {
  Container,
  ContainerFilter,
  ContainerStats,
  ContainerStatsFilter,
  ContainerStatus,
  FilesystemUsage,
  Image,
  ImageFilter,
  LinuxRuntimeConfiguration,
  PodSandbox,
  PodSandboxFilter,
  PodSandboxStats,
  PodSandboxStatsFilter,
  PodSandboxStatus,
  RuntimeConfig,
  RuntimeFeatures,
  RuntimeHandler,
  RuntimeStatus,
} from "./status.ts";

/** What goes with each call of the CRI v1, and comes back. */

export type VersionRequest = ValueOf<typeof VersionRequest>;
export const VersionRequest = message("VersionRequest", {
  version: field.string(1),
});

export type VersionResponse = ValueOf<typeof VersionResponse>;
export const VersionResponse = message("VersionResponse", {
  version: field.string(1),
  runtimeName: field.string(2),
  runtimeVersion: field.string(3),
  runtimeApiVersion: field.string(4),
});

export type RunPodSandboxRequest = ValueOf<typeof RunPodSandboxRequest>;
export const RunPodSandboxRequest = message("RunPodSandboxRequest", {
  config: field.message(1, PodSandboxConfig),
  runtimeHandler: field.string(2),
});

export type RunPodSandboxResponse = ValueOf<typeof RunPodSandboxResponse>;
export const RunPodSandboxResponse = message("RunPodSandboxResponse", {
  podSandboxId: field.string(1),
});

export type StopPodSandboxRequest = ValueOf<typeof StopPodSandboxRequest>;
export const StopPodSandboxRequest = message("StopPodSandboxRequest", {
  podSandboxId: field.string(1),
});

export type StopPodSandboxResponse = ValueOf<typeof StopPodSandboxResponse>;
export const StopPodSandboxResponse = message("StopPodSandboxResponse", {});

export type RemovePodSandboxRequest = ValueOf<typeof RemovePodSandboxRequest>;
export const RemovePodSandboxRequest = message("RemovePodSandboxRequest", {
  podSandboxId: field.string(1),
});

export type RemovePodSandboxResponse = ValueOf<typeof RemovePodSandboxResponse>;
export const RemovePodSandboxResponse = message("RemovePodSandboxResponse", {});

export type PodSandboxStatusRequest = ValueOf<typeof PodSandboxStatusRequest>;
export const PodSandboxStatusRequest = message("PodSandboxStatusRequest", {
  podSandboxId: field.string(1),
  verbose: field.bool(2),
});

export type PodSandboxStatusResponse = ValueOf<typeof PodSandboxStatusResponse>;
export const PodSandboxStatusResponse = message("PodSandboxStatusResponse", {
  status: field.message(1, PodSandboxStatus),
  info: field.stringMap(2),
  containersStatuses: field.messages(3, ContainerStatus),
  timestamp: field.big(4),
});

export type ListPodSandboxRequest = ValueOf<typeof ListPodSandboxRequest>;
export const ListPodSandboxRequest = message("ListPodSandboxRequest", {
  filter: field.message(1, PodSandboxFilter),
});

export type ListPodSandboxResponse = ValueOf<typeof ListPodSandboxResponse>;
export const ListPodSandboxResponse = message("ListPodSandboxResponse", {
  items: field.messages(1, PodSandbox),
});

export type CreateContainerRequest = ValueOf<typeof CreateContainerRequest>;
export const CreateContainerRequest = message("CreateContainerRequest", {
  podSandboxId: field.string(1),
  config: field.message(2, ContainerConfig),
  sandboxConfig: field.message(3, PodSandboxConfig),
});

export type CreateContainerResponse = ValueOf<typeof CreateContainerResponse>;
export const CreateContainerResponse = message("CreateContainerResponse", {
  containerId: field.string(1),
});

export type StartContainerRequest = ValueOf<typeof StartContainerRequest>;
export const StartContainerRequest = message("StartContainerRequest", {
  containerId: field.string(1),
});

export type StartContainerResponse = ValueOf<typeof StartContainerResponse>;
export const StartContainerResponse = message("StartContainerResponse", {});

export type StopContainerRequest = ValueOf<typeof StopContainerRequest>;
export const StopContainerRequest = message("StopContainerRequest", {
  containerId: field.string(1),
  timeout: field.int64(2),
});

export type StopContainerResponse = ValueOf<typeof StopContainerResponse>;
export const StopContainerResponse = message("StopContainerResponse", {});

export type RemoveContainerRequest = ValueOf<typeof RemoveContainerRequest>;
export const RemoveContainerRequest = message("RemoveContainerRequest", {
  containerId: field.string(1),
});

export type RemoveContainerResponse = ValueOf<typeof RemoveContainerResponse>;
export const RemoveContainerResponse = message("RemoveContainerResponse", {});

export type ListContainersRequest = ValueOf<typeof ListContainersRequest>;
export const ListContainersRequest = message("ListContainersRequest", {
  filter: field.message(1, ContainerFilter),
});

export type ListContainersResponse = ValueOf<typeof ListContainersResponse>;
export const ListContainersResponse = message("ListContainersResponse", {
  containers: field.messages(1, Container),
});

export type ContainerStatusRequest = ValueOf<typeof ContainerStatusRequest>;
export const ContainerStatusRequest = message("ContainerStatusRequest", {
  containerId: field.string(1),
  verbose: field.bool(2),
});

export type ContainerStatusResponse = ValueOf<typeof ContainerStatusResponse>;
export const ContainerStatusResponse = message("ContainerStatusResponse", {
  status: field.message(1, ContainerStatus),
  info: field.stringMap(2),
});

export type UpdateContainerResourcesRequest = ValueOf<typeof UpdateContainerResourcesRequest>;
export const UpdateContainerResourcesRequest = message("UpdateContainerResourcesRequest", {
  containerId: field.string(1),
  linux: field.message(2, LinuxContainerResources),
  annotations: field.stringMap(4),
});

export type UpdateContainerResourcesResponse = ValueOf<typeof UpdateContainerResourcesResponse>;
export const UpdateContainerResourcesResponse = message("UpdateContainerResourcesResponse", {});

export type ReopenContainerLogRequest = ValueOf<typeof ReopenContainerLogRequest>;
export const ReopenContainerLogRequest = message("ReopenContainerLogRequest", {
  containerId: field.string(1),
});

export type ReopenContainerLogResponse = ValueOf<typeof ReopenContainerLogResponse>;
export const ReopenContainerLogResponse = message("ReopenContainerLogResponse", {});

export type CheckpointContainerRequest = ValueOf<typeof CheckpointContainerRequest>;
export const CheckpointContainerRequest = message("CheckpointContainerRequest", {
  containerId: field.string(1),
  location: field.string(2),
  timeout: field.int64(3),
});

export type CheckpointContainerResponse = ValueOf<typeof CheckpointContainerResponse>;
export const CheckpointContainerResponse = message("CheckpointContainerResponse", {});

export type ExecSyncRequest = ValueOf<typeof ExecSyncRequest>;
export const ExecSyncRequest = message("ExecSyncRequest", {
  containerId: field.string(1),
  cmd: field.strings(2),
  timeout: field.int64(3),
});

export type ExecSyncResponse = ValueOf<typeof ExecSyncResponse>;
export const ExecSyncResponse = message("ExecSyncResponse", {
  stdout: field.bytes(1),
  stderr: field.bytes(2),
  exitCode: field.int32(3),
});

export type ExecRequest = ValueOf<typeof ExecRequest>;
export const ExecRequest = message("ExecRequest", {
  containerId: field.string(1),
  cmd: field.strings(2),
  tty: field.bool(3),
  stdin: field.bool(4),
  stdout: field.bool(5),
  stderr: field.bool(6),
});

export type ExecResponse = ValueOf<typeof ExecResponse>;
export const ExecResponse = message("ExecResponse", {
  url: field.string(1),
});

export type AttachRequest = ValueOf<typeof AttachRequest>;
export const AttachRequest = message("AttachRequest", {
  containerId: field.string(1),
  stdin: field.bool(2),
  tty: field.bool(3),
  stdout: field.bool(4),
  stderr: field.bool(5),
});

export type AttachResponse = ValueOf<typeof AttachResponse>;
export const AttachResponse = message("AttachResponse", {
  url: field.string(1),
});

export type PortForwardRequest = ValueOf<typeof PortForwardRequest>;
export const PortForwardRequest = message("PortForwardRequest", {
  podSandboxId: field.string(1),
  port: field.int32s(2),
});

export type PortForwardResponse = ValueOf<typeof PortForwardResponse>;
export const PortForwardResponse = message("PortForwardResponse", {
  url: field.string(1),
});

export type ContainerStatsRequest = ValueOf<typeof ContainerStatsRequest>;
export const ContainerStatsRequest = message("ContainerStatsRequest", {
  containerId: field.string(1),
});

export type ContainerStatsResponse = ValueOf<typeof ContainerStatsResponse>;
export const ContainerStatsResponse = message("ContainerStatsResponse", {
  stats: field.message(1, ContainerStats),
});

export type ListContainerStatsRequest = ValueOf<typeof ListContainerStatsRequest>;
export const ListContainerStatsRequest = message("ListContainerStatsRequest", {
  filter: field.message(1, ContainerStatsFilter),
});

export type ListContainerStatsResponse = ValueOf<typeof ListContainerStatsResponse>;
export const ListContainerStatsResponse = message("ListContainerStatsResponse", {
  stats: field.messages(1, ContainerStats),
});

export type PodSandboxStatsRequest = ValueOf<typeof PodSandboxStatsRequest>;
export const PodSandboxStatsRequest = message("PodSandboxStatsRequest", {
  podSandboxId: field.string(1),
});

export type PodSandboxStatsResponse = ValueOf<typeof PodSandboxStatsResponse>;
export const PodSandboxStatsResponse = message("PodSandboxStatsResponse", {
  stats: field.message(1, PodSandboxStats),
});

export type ListPodSandboxStatsRequest = ValueOf<typeof ListPodSandboxStatsRequest>;
export const ListPodSandboxStatsRequest = message("ListPodSandboxStatsRequest", {
  filter: field.message(1, PodSandboxStatsFilter),
});

export type ListPodSandboxStatsResponse = ValueOf<typeof ListPodSandboxStatsResponse>;
export const ListPodSandboxStatsResponse = message("ListPodSandboxStatsResponse", {
  stats: field.messages(1, PodSandboxStats),
});

export type UpdateRuntimeConfigRequest = ValueOf<typeof UpdateRuntimeConfigRequest>;
export const UpdateRuntimeConfigRequest = message("UpdateRuntimeConfigRequest", {
  runtimeConfig: field.message(1, RuntimeConfig),
});

export type UpdateRuntimeConfigResponse = ValueOf<typeof UpdateRuntimeConfigResponse>;
export const UpdateRuntimeConfigResponse = message("UpdateRuntimeConfigResponse", {});

export type StatusRequest = ValueOf<typeof StatusRequest>;
export const StatusRequest = message("StatusRequest", {
  verbose: field.bool(1),
});

export type StatusResponse = ValueOf<typeof StatusResponse>;
export const StatusResponse = message("StatusResponse", {
  status: field.message(1, RuntimeStatus),
  info: field.stringMap(2),
  runtimeHandlers: field.messages(3, RuntimeHandler),
  features: field.message(4, RuntimeFeatures),
});

export type GetEventsRequest = ValueOf<typeof GetEventsRequest>;
export const GetEventsRequest = message("GetEventsRequest", {});

export type ContainerEventResponse = ValueOf<typeof ContainerEventResponse>;
export const ContainerEventResponse = message("ContainerEventResponse", {
  containerId: field.string(1),
  containerEventType: field.int32(2),
  createdAt: field.big(3),
  podSandboxStatus: field.message(4, PodSandboxStatus),
  containersStatuses: field.messages(5, ContainerStatus),
});

export type RuntimeConfigRequest = ValueOf<typeof RuntimeConfigRequest>;
export const RuntimeConfigRequest = message("RuntimeConfigRequest", {});

export type RuntimeConfigResponse = ValueOf<typeof RuntimeConfigResponse>;
export const RuntimeConfigResponse = message("RuntimeConfigResponse", {
  linux: field.message(1, LinuxRuntimeConfiguration),
});

export type ListImagesRequest = ValueOf<typeof ListImagesRequest>;
export const ListImagesRequest = message("ListImagesRequest", {
  filter: field.message(1, ImageFilter),
});

export type ListImagesResponse = ValueOf<typeof ListImagesResponse>;
export const ListImagesResponse = message("ListImagesResponse", {
  images: field.messages(1, Image),
});

export type ImageStatusRequest = ValueOf<typeof ImageStatusRequest>;
export const ImageStatusRequest = message("ImageStatusRequest", {
  image: field.message(1, ImageSpec),
  verbose: field.bool(2),
});

export type ImageStatusResponse = ValueOf<typeof ImageStatusResponse>;
export const ImageStatusResponse = message("ImageStatusResponse", {
  image: field.message(1, Image),
  info: field.stringMap(2),
});

export type PullImageRequest = ValueOf<typeof PullImageRequest>;
export const PullImageRequest = message("PullImageRequest", {
  image: field.message(1, ImageSpec),
  auth: field.message(2, AuthConfig),
  sandboxConfig: field.message(3, PodSandboxConfig),
});

export type PullImageResponse = ValueOf<typeof PullImageResponse>;
export const PullImageResponse = message("PullImageResponse", {
  imageRef: field.string(1),
});

export type RemoveImageRequest = ValueOf<typeof RemoveImageRequest>;
export const RemoveImageRequest = message("RemoveImageRequest", {
  image: field.message(1, ImageSpec),
});

export type RemoveImageResponse = ValueOf<typeof RemoveImageResponse>;
export const RemoveImageResponse = message("RemoveImageResponse", {});

export type ImageFsInfoRequest = ValueOf<typeof ImageFsInfoRequest>;
export const ImageFsInfoRequest = message("ImageFsInfoRequest", {});

export type ImageFsInfoResponse = ValueOf<typeof ImageFsInfoResponse>;
export const ImageFsInfoResponse = message("ImageFsInfoResponse", {
  imageFilesystems: field.messages(1, FilesystemUsage),
  containerFilesystems: field.messages(2, FilesystemUsage),
});

export type UpdatePodSandboxResourcesRequest = ValueOf<typeof UpdatePodSandboxResourcesRequest>;
export const UpdatePodSandboxResourcesRequest = message("UpdatePodSandboxResourcesRequest", {
  podSandboxId: field.string(1),
  overhead: field.message(2, LinuxContainerResources),
  resources: field.message(3, LinuxContainerResources),
});

export type UpdatePodSandboxResourcesResponse = ValueOf<typeof UpdatePodSandboxResourcesResponse>;
export const UpdatePodSandboxResourcesResponse = message("UpdatePodSandboxResourcesResponse", {});

/** What lists tell at once, in parts: for answers that are too large for one message. */

export const StreamPodSandboxesRequest = message("StreamPodSandboxesRequest", {
  filter: field.message(1, PodSandboxFilter),
});

export const StreamPodSandboxesResponse = message("StreamPodSandboxesResponse", {
  podSandboxes: field.messages(1, PodSandbox),
});

export const StreamContainersRequest = message("StreamContainersRequest", {
  filter: field.message(1, ContainerFilter),
});

export const StreamContainersResponse = message("StreamContainersResponse", {
  containers: field.messages(1, Container),
});

export const StreamContainerStatsRequest = message("StreamContainerStatsRequest", {
  filter: field.message(1, ContainerStatsFilter),
});

export const StreamContainerStatsResponse = message("StreamContainerStatsResponse", {
  containerStats: field.messages(1, ContainerStats),
});

export const StreamPodSandboxStatsRequest = message("StreamPodSandboxStatsRequest", {
  filter: field.message(1, PodSandboxStatsFilter),
});

export const StreamPodSandboxStatsResponse = message("StreamPodSandboxStatsResponse", {
  podSandboxStats: field.messages(1, PodSandboxStats),
});

export const StreamImagesRequest = message("StreamImagesRequest", {
  filter: field.message(1, ImageFilter),
});

export const StreamImagesResponse = message("StreamImagesResponse", {
  images: field.messages(1, Image),
});
