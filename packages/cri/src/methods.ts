import { method } from "@boxship/grpc";
import * as calls from "./messages/calls.ts";
import * as metrics from "./messages/metrics.ts";

const RUNTIME = "runtime.v1.RuntimeService";

/** Calls of the RuntimeService. */
export const RUNTIME_METHODS = {
  version: method(RUNTIME, "Version", calls.VersionRequest, calls.VersionResponse),
  runPodSandbox: method(RUNTIME, "RunPodSandbox", calls.RunPodSandboxRequest, calls.RunPodSandboxResponse),
  stopPodSandbox: method(RUNTIME, "StopPodSandbox", calls.StopPodSandboxRequest, calls.StopPodSandboxResponse),
  removePodSandbox: method(RUNTIME, "RemovePodSandbox", calls.RemovePodSandboxRequest, calls.RemovePodSandboxResponse),
  podSandboxStatus: method(RUNTIME, "PodSandboxStatus", calls.PodSandboxStatusRequest, calls.PodSandboxStatusResponse),
  listPodSandbox: method(RUNTIME, "ListPodSandbox", calls.ListPodSandboxRequest, calls.ListPodSandboxResponse),
  createContainer: method(RUNTIME, "CreateContainer", calls.CreateContainerRequest, calls.CreateContainerResponse),
  startContainer: method(RUNTIME, "StartContainer", calls.StartContainerRequest, calls.StartContainerResponse),
  stopContainer: method(RUNTIME, "StopContainer", calls.StopContainerRequest, calls.StopContainerResponse),
  removeContainer: method(RUNTIME, "RemoveContainer", calls.RemoveContainerRequest, calls.RemoveContainerResponse),
  listContainers: method(RUNTIME, "ListContainers", calls.ListContainersRequest, calls.ListContainersResponse),
  containerStatus: method(RUNTIME, "ContainerStatus", calls.ContainerStatusRequest, calls.ContainerStatusResponse),
  updateContainerResources: method(
    RUNTIME,
    "UpdateContainerResources",
    calls.UpdateContainerResourcesRequest,
    calls.UpdateContainerResourcesResponse,
  ),
  reopenContainerLog: method(
    RUNTIME,
    "ReopenContainerLog",
    calls.ReopenContainerLogRequest,
    calls.ReopenContainerLogResponse,
  ),
  checkpointContainer: method(
    RUNTIME,
    "CheckpointContainer",
    calls.CheckpointContainerRequest,
    calls.CheckpointContainerResponse,
  ),
  execSync: method(RUNTIME, "ExecSync", calls.ExecSyncRequest, calls.ExecSyncResponse),
  exec: method(RUNTIME, "Exec", calls.ExecRequest, calls.ExecResponse),
  attach: method(RUNTIME, "Attach", calls.AttachRequest, calls.AttachResponse),
  portForward: method(RUNTIME, "PortForward", calls.PortForwardRequest, calls.PortForwardResponse),
  containerStats: method(RUNTIME, "ContainerStats", calls.ContainerStatsRequest, calls.ContainerStatsResponse),
  listContainerStats: method(
    RUNTIME,
    "ListContainerStats",
    calls.ListContainerStatsRequest,
    calls.ListContainerStatsResponse,
  ),
  podSandboxStats: method(RUNTIME, "PodSandboxStats", calls.PodSandboxStatsRequest, calls.PodSandboxStatsResponse),
  listPodSandboxStats: method(
    RUNTIME,
    "ListPodSandboxStats",
    calls.ListPodSandboxStatsRequest,
    calls.ListPodSandboxStatsResponse,
  ),
  listMetricDescriptors: method(
    RUNTIME,
    "ListMetricDescriptors",
    metrics.ListMetricDescriptorsRequest,
    metrics.ListMetricDescriptorsResponse,
  ),
  listPodSandboxMetrics: method(
    RUNTIME,
    "ListPodSandboxMetrics",
    metrics.ListPodSandboxMetricsRequest,
    metrics.ListPodSandboxMetricsResponse,
  ),
  updateRuntimeConfig: method(
    RUNTIME,
    "UpdateRuntimeConfig",
    calls.UpdateRuntimeConfigRequest,
    calls.UpdateRuntimeConfigResponse,
  ),
  status: method(RUNTIME, "Status", calls.StatusRequest, calls.StatusResponse),
  getContainerEvents: method(RUNTIME, "GetContainerEvents", calls.GetEventsRequest, calls.ContainerEventResponse),
  updatePodSandboxResources: method(
    RUNTIME,
    "UpdatePodSandboxResources",
    calls.UpdatePodSandboxResourcesRequest,
    calls.UpdatePodSandboxResourcesResponse,
  ),
  runtimeConfig: method(RUNTIME, "RuntimeConfig", calls.RuntimeConfigRequest, calls.RuntimeConfigResponse),
} as const;

const IMAGES = "runtime.v1.ImageService";

/** Calls of the ImageService. */
export const IMAGE_METHODS = {
  listImages: method(IMAGES, "ListImages", calls.ListImagesRequest, calls.ListImagesResponse),
  imageStatus: method(IMAGES, "ImageStatus", calls.ImageStatusRequest, calls.ImageStatusResponse),
  pullImage: method(IMAGES, "PullImage", calls.PullImageRequest, calls.PullImageResponse),
  removeImage: method(IMAGES, "RemoveImage", calls.RemoveImageRequest, calls.RemoveImageResponse),
  imageFsInfo: method(IMAGES, "ImageFsInfo", calls.ImageFsInfoRequest, calls.ImageFsInfoResponse),
} as const;

/** Lists that are told in parts. */
export const STREAMED_METHODS = {
  podSandboxes: method(
    RUNTIME,
    "StreamPodSandboxes",
    calls.StreamPodSandboxesRequest,
    calls.StreamPodSandboxesResponse,
  ),
  containers: method(RUNTIME, "StreamContainers", calls.StreamContainersRequest, calls.StreamContainersResponse),
  containerStats: method(
    RUNTIME,
    "StreamContainerStats",
    calls.StreamContainerStatsRequest,
    calls.StreamContainerStatsResponse,
  ),
  podSandboxStats: method(
    RUNTIME,
    "StreamPodSandboxStats",
    calls.StreamPodSandboxStatsRequest,
    calls.StreamPodSandboxStatsResponse,
  ),
  podSandboxMetrics: method(
    RUNTIME,
    "StreamPodSandboxMetrics",
    metrics.StreamPodSandboxMetricsRequest,
    metrics.StreamPodSandboxMetricsResponse,
  ),
  images: method(IMAGES, "StreamImages", calls.StreamImagesRequest, calls.StreamImagesResponse),
} as const;
