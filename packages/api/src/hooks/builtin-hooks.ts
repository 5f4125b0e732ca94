import type { KindHooks } from "../kind/kind.ts";
import type { GroupVersion } from "../object/kube-object.ts";
import { qualified } from "../status/failures.ts";
import { clusterRole, clusterRoleBinding, role, roleBinding } from "./access/roles.ts";
import { mutatingBinding, validatingBinding } from "./admission/bindings.ts";
import { mutatingPolicy, validatingPolicy } from "./admission/policies.ts";
import { webhookConfiguration } from "./admission/webhooks.ts";
import { daemonSet } from "./apps/daemon-set.ts";
import { deployment } from "./apps/deployment.ts";
import { replicaSet, replicationController } from "./apps/replica-sets.ts";
import { statefulSet } from "./apps/stateful-set.ts";
import { autoscaler, oldAutoscaler } from "./autoscaling/autoscaler.ts";
import { cronJob } from "./batch/cron-job.ts";
import { job } from "./batch/job.ts";
import { apiService } from "./cluster/api-service.ts";
import { signingRequest } from "./cluster/signing-request.ts";
import { CLUSTER_HOOKS } from "./cluster-hooks.ts";
import { configMap, secret } from "./core/config-data.ts";
import { disruptionBudget } from "./core/disruption-budget.ts";
import { limitRange } from "./core/limit-range.ts";
import { namespace } from "./core/namespace.ts";
import { node } from "./core/node.ts";
import { resourceQuota } from "./core/resource-quota.ts";
import { serviceAccount } from "./core/service-account.ts";
import { controllerRevision, lease, priorityClass, runtimeClass } from "./core/small-kinds.ts";
import { coreEvent, event } from "./event-hooks.ts";
import { flowSchema } from "./flow-control/flow-schema.ts";
import { priorityLevel } from "./flow-control/priority-level.ts";
import { endpointSlice, endpoints } from "./networking/endpoints.ts";
import { ingress } from "./networking/ingress.ts";
import { ingressClass } from "./networking/ingress-class.ts";
import { networkPolicy } from "./networking/network-policy.ts";
import { service } from "./networking/service.ts";
import { ipAddress, serviceCidr } from "./networking/service-networks.ts";
import { pod, podTemplate } from "./pods/pod.ts";
import { deviceClass, resourceClaim, resourceClaimTemplate } from "./resource/claims.ts";
import { resourceSlice } from "./resource/slices.ts";
import { claim } from "./storage/claim.ts";
import { csiDriver, csiNode } from "./storage/csi-objects.ts";
import { persistentVolume, volumeAttachment } from "./storage/persistent-volume.ts";
import { storageCapacity, storageClass, volumeAttributesClass } from "./storage/storage-classes.ts";

const NONE: KindHooks = {};

const WHOLE_HOOKS: Readonly<Record<string, KindHooks>> = {
  configmaps: configMap,
  endpoints,
  limitranges: limitRange,
  namespaces: namespace,
  nodes: node,
  persistentvolumeclaims: claim,
  persistentvolumes: persistentVolume,
  pods: pod,
  podtemplates: podTemplate,
  replicationcontrollers: replicationController,
  resourcequotas: resourceQuota,
  secrets: secret,
  serviceaccounts: serviceAccount,
  services: service,
  "apiservices.apiregistration.k8s.io": apiService,
  "certificatesigningrequests.certificates.k8s.io": signingRequest,
  "clusterrolebindings.rbac.authorization.k8s.io": clusterRoleBinding,
  "clusterroles.rbac.authorization.k8s.io": clusterRole,
  "controllerrevisions.apps": controllerRevision,
  "cronjobs.batch": cronJob,
  "csidrivers.storage.k8s.io": csiDriver,
  "csinodes.storage.k8s.io": csiNode,
  "csistoragecapacities.storage.k8s.io": storageCapacity,
  "daemonsets.apps": daemonSet,
  "deployments.apps": deployment,
  "deviceclasses.resource.k8s.io": deviceClass,
  "resourceclaims.resource.k8s.io": resourceClaim,
  "resourceclaimtemplates.resource.k8s.io": resourceClaimTemplate,
  "resourceslices.resource.k8s.io": resourceSlice,
  "endpointslices.discovery.k8s.io": endpointSlice,
  "flowschemas.flowcontrol.apiserver.k8s.io": flowSchema,
  "horizontalpodautoscalers.autoscaling": autoscaler,
  "ingressclasses.networking.k8s.io": ingressClass,
  "ingresses.networking.k8s.io": ingress,
  "ipaddresses.networking.k8s.io": ipAddress,
  "jobs.batch": job,
  "leases.coordination.k8s.io": lease,
  "mutatingadmissionpolicies.admissionregistration.k8s.io": mutatingPolicy,
  "mutatingadmissionpolicybindings.admissionregistration.k8s.io": mutatingBinding,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhookConfiguration,
  "networkpolicies.networking.k8s.io": networkPolicy,
  "priorityclasses.scheduling.k8s.io": priorityClass,
  "poddisruptionbudgets.policy": disruptionBudget,
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": priorityLevel,
  "replicasets.apps": replicaSet,
  "rolebindings.rbac.authorization.k8s.io": roleBinding,
  "roles.rbac.authorization.k8s.io": role,
  "runtimeclasses.node.k8s.io": runtimeClass,
  "servicecidrs.networking.k8s.io": serviceCidr,
  "statefulsets.apps": statefulSet,
  "storageclasses.storage.k8s.io": storageClass,
  "validatingadmissionpolicies.admissionregistration.k8s.io": validatingPolicy,
  "validatingadmissionpolicybindings.admissionregistration.k8s.io": validatingBinding,
  "validatingwebhookconfigurations.admissionregistration.k8s.io": webhookConfiguration,
  "volumeattachments.storage.k8s.io": volumeAttachment,
  "volumeattributesclasses.storage.k8s.io": volumeAttributesClass,
};

/** Of kinds that have others in another version. */
const VERSION_HOOKS: Readonly<Record<string, KindHooks>> = {
  "events/v1": coreEvent,
  "events.events.k8s.io/v1": event,
  "horizontalpodautoscalers.autoscaling/v1": oldAutoscaler,
};

/** The hooks of a built-in kind; empty where its schema says all there is. */
export function hooksOf({ group, version, resource }: GroupVersion & { readonly resource: string }): KindHooks {
  const name = qualified({ group, resource });
  return VERSION_HOOKS[`${name}/${version}`] ?? WHOLE_HOOKS[name] ?? CLUSTER_HOOKS[name] ?? NONE;
}
