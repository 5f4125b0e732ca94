import type { KubeObject } from "@boxship/api";
import type { Session } from "../session.ts";

export type Describer = (session: Session, object: KubeObject) => Promise<string>;

const access = () => import("./access.ts");
const config = () => import("./config.ts");
const endpoints = () => import("./endpoints.ts");
const network = () => import("./network.ts");
const workloads = () => import("./workloads.ts");

/** By kind and group; all others are told field by field. */
const DESCRIBERS: Readonly<Record<string, () => Promise<Describer>>> = {
  Pod: async () => (await import("./pod.ts")).describePod,
  ConfigMap: async () => (await config()).describeConfigMap,
  LimitRange: async () => (await config()).describeLimitRange,
  Endpoints: async () => (await endpoints()).describeEndpoints,
  Namespace: async () => (await config()).describeNamespace,
  Node: async () => (await import("./node.ts")).describeNode,
  PersistentVolume: async () => (await config()).describeVolume,
  PersistentVolumeClaim: async () => (await config()).describeClaim,
  ReplicationController: async () => (await workloads()).describeReplicaSet,
  ResourceQuota: async () => (await config()).describeQuota,
  Secret: async () => (await config()).describeSecret,
  Service: async () => (await network()).describeService,
  ServiceAccount: async () => (await config()).describeServiceAccount,
  "HorizontalPodAutoscaler.autoscaling": async () => (await import("./autoscaler.ts")).describeAutoscaler,
  "CertificateSigningRequest.certificates.k8s.io": async () =>
    (await import("./certificate-request.ts")).describeCertificateRequest,
  "EndpointSlice.discovery.k8s.io": async () => (await endpoints()).describeEndpointSlice,
  "ServiceCIDR.networking.k8s.io": async () => (await endpoints()).describeServiceRange,
  "IPAddress.networking.k8s.io": async () => (await endpoints()).describeAddress,
  "VolumeAttributesClass.storage.k8s.io": async () => (await endpoints()).describeAttributesClass,
  "CSINode.storage.k8s.io": async () => (await import("./storage-node.ts")).describeStorageNode,
  "CronJob.batch": async () => (await workloads()).describeCronJob,
  "DaemonSet.apps": async () => (await workloads()).describeDaemonSet,
  "Deployment.apps": async () => (await workloads()).describeDeployment,
  "Job.batch": async () => (await workloads()).describeJob,
  "ReplicaSet.apps": async () => (await workloads()).describeReplicaSet,
  "StatefulSet.apps": async () => (await workloads()).describeStatefulSet,
  "Ingress.networking.k8s.io": async () => (await network()).describeIngress,
  "IngressClass.networking.k8s.io": async () => (await network()).describeIngressClass,
  "NetworkPolicy.networking.k8s.io": async () => (await network()).describeNetworkPolicy,
  "PodDisruptionBudget.policy": async () => (await config()).describeBudget,
  "PriorityClass.scheduling.k8s.io": async () => (await config()).describePriorityClass,
  "StorageClass.storage.k8s.io": async () => (await config()).describeStorageClass,
  "ClusterRole.rbac.authorization.k8s.io": async () => (await access()).describeRole,
  "Role.rbac.authorization.k8s.io": async () => (await access()).describeRole,
  "ClusterRoleBinding.rbac.authorization.k8s.io": async () => (await access()).describeBinding,
  "RoleBinding.rbac.authorization.k8s.io": async () => (await access()).describeBinding,
};

/** How a kind is told to people. */
export async function describerOf(kind: string, group: string): Promise<Describer> {
  const known = DESCRIBERS[group === "" ? kind : `${kind}.${group}`];
  return known === undefined ? (await import("./generic.ts")).describeAny : await known();
}
