export { NodeAgent, type NodeAgentOptions } from "./agent/node-agent.ts";
export type { ClusterDnsSettings } from "./pods/pod-config.ts";
export { type QosClass, qosClass } from "./status/qos.ts";
export type { Pod, PodStatus } from "./types.ts";
