export { isIpcParameter } from "@boxship/runtime";
export { type ParsedBind, parseBind } from "./container/bind-parse.ts";
export * from "./container/config.ts";
export type { MountChangeOptions, MountToAdd } from "./container/container-mounts.ts";
export type { PortChoice } from "./container/container-ports.ts";
export * from "./container/record.ts";
export { canMakeRecursivelyReadOnly } from "./container/recursive-read-only.ts";
export { ociUserNamespace } from "./container/start-spec.ts";
export * from "./container/state.ts";
export { type EngineContext, Pins } from "./context.ts";
export * from "./engine.ts";
export * from "./engine-api.ts";
export * from "./errors.ts";
export { adoptImage } from "./image/image-adopt.ts";
export { pushImage } from "./image/image-push.ts";
export { type ContentKeeper, Images, topChain } from "./image/images.ts";
export { type ImageToMake, makeImage } from "./image/make-image.ts";
export { newImageName } from "./image/new-image-name.ts";
export { pushIndex } from "./image/push-index.ts";
export { unpackInto } from "./image/unpack-into.ts";
export * from "./options.ts";
export { isPodHeld, podMounts } from "./pod/pod-namespaces.ts";
export {
  ensurePodNetwork,
  POD_NETWORK,
  type PodNetworkChoice,
  podNetworkProblem,
  podSubnets,
} from "./pod/pod-network.ts";
export { releaseStrayProcesses } from "./pod/pod-processes.ts";
export { runPod } from "./pod/pod-run.ts";
export { containersOf, removePod, stopPod } from "./pod/pod-stop.ts";
export * from "./pod/record.ts";
export {
  canHaveUsers,
  checkRemapped,
  mapIfPossible,
  type Remap,
  releaseSources,
  remappedRuntime,
} from "./remap/remap.ts";
export { VERSION } from "./system/version.ts";
