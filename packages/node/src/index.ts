export { NodeAgent, type NodeAgentOptions } from "./agent/node-agent.ts";
export type { ClusterDnsSettings } from "./pods/pod-config.ts";
export { SysctlAllowlist } from "./pods/sysctl-allowlist.ts";
export { EVICTION_FLAGS, type EvictionFlags, parseEviction } from "./pressure/parse-thresholds.ts";
export type { EvictionSettings } from "./pressure/thresholds.ts";
export { parseShutdown, type ShutdownPeriod } from "./shutdown/shutdown-periods.ts";
export { limitDirectory } from "./volumes/directory-limit.ts";
