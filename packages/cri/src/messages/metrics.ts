import { field, message, type ValueOf } from "@boxship/grpc";
import { UInt64Value } from "./status.ts";

/** Metrics of pods by the CRI v1: samples that name a descriptor and have values for its labels. */

export type MetricDescriptor = ValueOf<typeof MetricDescriptor>;
export const MetricDescriptor = message("MetricDescriptor", {
  name: field.string(1),
  help: field.string(2),
  labelKeys: field.strings(3),
});

export type Metric = ValueOf<typeof Metric>;
export const Metric = message("Metric", {
  name: field.string(1),
  timestamp: field.big(2),
  /** {@link MetricType} */
  metricType: field.int32(3),
  labelValues: field.strings(4),
  value: field.message(5, UInt64Value),
});

export type ContainerMetrics = ValueOf<typeof ContainerMetrics>;
export const ContainerMetrics = message("ContainerMetrics", {
  containerId: field.string(1),
  metrics: field.messages(2, Metric),
});

export type PodSandboxMetrics = ValueOf<typeof PodSandboxMetrics>;
export const PodSandboxMetrics = message("PodSandboxMetrics", {
  podSandboxId: field.string(1),
  metrics: field.messages(2, Metric),
  containerMetrics: field.messages(3, ContainerMetrics),
});

export const ListMetricDescriptorsRequest = message("ListMetricDescriptorsRequest", {});

export const ListMetricDescriptorsResponse = message("ListMetricDescriptorsResponse", {
  descriptors: field.messages(1, MetricDescriptor),
});

export const ListPodSandboxMetricsRequest = message("ListPodSandboxMetricsRequest", {});

export const ListPodSandboxMetricsResponse = message("ListPodSandboxMetricsResponse", {
  podMetrics: field.messages(1, PodSandboxMetrics),
});

export const StreamPodSandboxMetricsRequest = message("StreamPodSandboxMetricsRequest", {});

export const StreamPodSandboxMetricsResponse = message("StreamPodSandboxMetricsResponse", {
  podSandboxMetrics: field.messages(1, PodSandboxMetrics),
});
