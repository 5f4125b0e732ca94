export { NodeAgent, type NodeAgentOptions } from "./node-agent.ts";
export { type QosClass, qosClass } from "./qos.ts";
export type { Pod, PodStatus } from "./types.ts";
