export { Backoff, type BackoffOptions } from "./backoff.ts";
export { putKubeconfig, removeFromKubeconfig } from "./config/kubeconfig-file.ts";
export {
  type KubeconfigChoice,
  type LoadedKubeconfig,
  loadKubeconfig,
  resolveKubeconfig,
} from "./config/load-kubeconfig.ts";
export * from "./contract.ts";
export { EventRecorder, type EventRecorderOptions, type EventType } from "./events/event-recorder.ts";
export { Connection, type HttpReply, type HttpRequest } from "./http/connection.ts";
export { type HttpClientOptions, openHttpClient } from "./http/http-client.ts";
export type { ClientIdentity, ConnectionOptions } from "./http/options.ts";
export { collectionPath, objectPath } from "./http/paths.ts";
export { readJson, readLines } from "./http/read-reply.ts";
export { Informer, type InformerHandler, type InformerOptions } from "./informer/informer.ts";
export { type Indexer, keyOf } from "./informer/object-index.ts";
export { LeaderElection, type LeaderElectionOptions } from "./leader/leader-election.ts";
export { type PersistOptions, persist } from "./persist.ts";
export { RateLimiter, type RateLimiterOptions } from "./queue/rate-limiter.ts";
export { type RunWorkersOptions, runWorkers } from "./queue/run-workers.ts";
export { WorkQueue, type WorkQueueOptions } from "./queue/work-queue.ts";
export {
  FollowServices,
  type FollowServicesOptions,
  type Service,
  type ServiceEndpoint,
  type ServiceEndpointSlice,
  type ServicePort,
} from "./services/follow-services.ts";
