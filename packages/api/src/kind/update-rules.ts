import { qualified } from "../status/failures.ts";
import { type FieldError, invalid } from "../status/field-error.ts";
import type { Kind } from "./kind.ts";

/** Built-in kinds that are updated by those alone who know which version they change. */
const VERSIONED = new Set([
  "apiservices.apiregistration.k8s.io",
  "csidrivers.storage.k8s.io",
  "csinodes.storage.k8s.io",
  "csistoragecapacities.storage.k8s.io",
  "customresourcedefinitions.apiextensions.k8s.io",
  "leases.coordination.k8s.io",
  "mutatingadmissionpolicies.admissionregistration.k8s.io",
  "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
  "mutatingwebhookconfigurations.admissionregistration.k8s.io",
  "poddisruptionbudgets.policy",
  "runtimeclasses.node.k8s.io",
  "validatingadmissionpolicies.admissionregistration.k8s.io",
  "validatingadmissionpolicybindings.admissionregistration.k8s.io",
  "validatingwebhookconfigurations.admissionregistration.k8s.io",
  "volumeattachments.storage.k8s.io",
]);

/** Kinds that an update makes where there is no object of its name. */
const MADE = new Set([
  "clusterrolebindings.rbac.authorization.k8s.io",
  "clusterroles.rbac.authorization.k8s.io",
  "endpoints",
  "events",
  "events.events.k8s.io",
  "leases.coordination.k8s.io",
  "limitranges",
  "rolebindings.rbac.authorization.k8s.io",
  "roles.rbac.authorization.k8s.io",
  "runtimeclasses.node.k8s.io",
  "services",
]);

/** What is said of an update, of an object or its status, that names no version; undefined where it may be so. */
export const unversioned = (kind: Kind): FieldError | undefined =>
  kind.custom || VERSIONED.has(qualified(kind))
    ? { ...invalid("metadata.resourceVersion", 0, ""), message: "Invalid value: 0x0: must be specified for an update" }
    : undefined;

/** Whether `PUT` makes an object that is not there. */
export const isMadeByUpdate = (kind: Kind): boolean => !kind.custom && MADE.has(qualified(kind));
