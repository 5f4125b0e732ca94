export { NodeAgent, type NodeAgentOptions } from "./agent/node-agent.ts";
export type { ClusterDnsSettings } from "./pods/pod-config.ts";
export { EVICTION_FLAGS, type EvictionFlags, parseEviction } from "./pressure/parse-thresholds.ts";
export type { EvictionSettings } from "./pressure/thresholds.ts";
export { type QosClass, qosClass } from "./status/qos.ts";
export type { Pod, PodStatus } from "./types.ts";
