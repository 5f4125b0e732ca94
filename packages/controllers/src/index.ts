import { autoscalerController } from "./autoscale/autoscaler-controller.ts";
import { certificateApprover } from "./certificates/certificate-approver.ts";
import { certificateCleaner } from "./certificates/certificate-cleaner.ts";
import type { ControllerDefinition } from "./contract.ts";
import { cronJobController } from "./cronjob/cron-job-controller.ts";
import { daemonSetController } from "./daemonset/daemon-set-controller.ts";
import { deploymentController } from "./deployment/deployment-controller.ts";
import { disruptionController } from "./disruption/disruption-controller.ts";
import { endpointSliceController } from "./endpoints/endpoint-slice-controller.ts";
import { endpointSliceMirroringController } from "./endpoints/endpoint-slice-mirroring-controller.ts";
import { endpointsController } from "./endpoints/endpoints-controller.ts";
import { garbageCollector } from "./garbage/garbage-collector.ts";
import { jobController } from "./job/job-controller.ts";
import { ttlAfterFinishedController } from "./job/ttl-controller.ts";
import { nodeLifecycle } from "./nodes/node-lifecycle-controller.ts";
import { nodeTtlController } from "./nodes/node-ttl-controller.ts";
import { podGarbageCollector } from "./nodes/pod-gc-controller.ts";
import { taintEvictionController } from "./nodes/taint-eviction-controller.ts";
import { replicaSetController, replicationController } from "./replicaset/replica-set-controller.ts";
import { roleAggregationController } from "./roles/role-aggregation-controller.ts";
import { statefulSetController } from "./statefulset/stateful-set-controller.ts";
import { ephemeralClaims } from "./volumes/ephemeral-claims.ts";
import { expandController } from "./volumes/expand-controller.ts";
import { claimProtection, volumeProtection } from "./volumes/protection-controllers.ts";
import { volumeBinder } from "./volumes/volume-binder.ts";

export { certificateSigner } from "./certificates/certificate-signer.ts";
export * from "./contract.ts";
export { REGISTRY } from "./frame/registry-keys.ts";
export { type Controllers, type RunControllersOptions, runControllers } from "./frame/run-controllers.ts";
export type { SharedInformers } from "./frame/shared-informers.ts";
export {
  advance,
  currentLook,
  type Stalls,
  SteppedControllers,
  type SteppedControllersOptions,
} from "./frame/stepped-controllers.ts";
export { nodeLifecycle, type Pulse } from "./nodes/node-lifecycle-controller.ts";
export { type DirectoryProvisionerOptions, directoryProvisioner } from "./volumes/directory-provisioner.ts";

/** All that a cluster runs, without {@link certificateSigner}, which needs its authority. */
export const DEFINITIONS: readonly ControllerDefinition[] = [
  garbageCollector,
  replicaSetController,
  replicationController,
  deploymentController,
  statefulSetController,
  daemonSetController,
  jobController,
  ttlAfterFinishedController,
  cronJobController,
  endpointsController,
  endpointSliceController,
  endpointSliceMirroringController,
  disruptionController,
  autoscalerController,
  podGarbageCollector,
  nodeTtlController,
  nodeLifecycle(),
  taintEvictionController,
  volumeBinder,
  ephemeralClaims,
  expandController,
  claimProtection,
  volumeProtection,
  roleAggregationController,
  certificateApprover,
  certificateCleaner,
];
