import type { KubeObject } from "@boxship/api";
import type { ObjectRef, Resource } from "@boxship/client";

export const resource = (group: string, version: string, name: string): Resource => ({
  group,
  version,
  resource: name,
});

export const API_SERVICES = resource("apiregistration.k8s.io", "v1", "apiservices");
export const CONFIG_MAPS = resource("", "v1", "configmaps");
export const CONTROLLER_REVISIONS = resource("apps", "v1", "controllerrevisions");
export const CRON_JOBS = resource("batch", "v1", "cronjobs");
export const CUSTOM_RESOURCE_DEFINITIONS = resource("apiextensions.k8s.io", "v1", "customresourcedefinitions");
export const DAEMON_SETS = resource("apps", "v1", "daemonsets");
export const DEPLOYMENTS = resource("apps", "v1", "deployments");
export const DISRUPTION_BUDGETS = resource("policy", "v1", "poddisruptionbudgets");
export const ENDPOINTS = resource("", "v1", "endpoints");
export const ENDPOINT_SLICES = resource("discovery.k8s.io", "v1", "endpointslices");
export const JOBS = resource("batch", "v1", "jobs");
export const LEASES = resource("coordination.k8s.io", "v1", "leases");
export const AUTOSCALERS = resource("autoscaling", "v2", "horizontalpodautoscalers");
export const ACCESS_REVIEWS = resource("authorization.k8s.io", "v1", "subjectaccessreviews");
export const SIGNING_REQUESTS = resource("certificates.k8s.io", "v1", "certificatesigningrequests");
export const NODES = resource("", "v1", "nodes");
export const PERSISTENT_VOLUME_CLAIMS = resource("", "v1", "persistentvolumeclaims");
export const PERSISTENT_VOLUMES = resource("", "v1", "persistentvolumes");
export const PODS = resource("", "v1", "pods");
export const REPLICATION_CONTROLLERS = resource("", "v1", "replicationcontrollers");
export const REPLICA_SETS = resource("apps", "v1", "replicasets");
export const SERVICES = resource("", "v1", "services");
export const STORAGE_CLASSES = resource("storage.k8s.io", "v1", "storageclasses");
export const STATEFUL_SETS = resource("apps", "v1", "statefulsets");

/** Where an object is. */
export function refOf(of: Resource, { metadata: { namespace = "", name = "" } }: KubeObject): ObjectRef {
  return namespace === "" ? { ...of, name } : { ...of, namespace, name };
}
