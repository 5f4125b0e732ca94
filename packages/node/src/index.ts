export { oomScoreAdj, type QosClass, qosClass } from "./qos.ts";
export type { Pod, PodStatus } from "./types.ts";
