import { deepEqual, forbidden, isObject, type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { decide } from "../access/authorize.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { readObject } from "../storage/read-objects.ts";
import { nodeOfUser } from "./node-rules.ts";
import { wantsAudience } from "./pod-audiences.ts";
import { podReferences } from "./pod-references.ts";

const MIRROR = "kubernetes.io/config.mirror";
/** Labels with these prefixes are the cluster's, but for those that follow. */
const RESTRICTED = /(?:^|\.)(?:kubernetes\.io|k8s\.io)$/;
const OWN_PREFIXES = /(?:^|\.)(?:kubelet\.kubernetes\.io|node\.kubernetes\.io)$/;
const OWN_LABELS: ReadonlySet<string> = new Set([
  "kubernetes.io/hostname",
  "kubernetes.io/arch",
  "kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/instance-type",
  "failure-domain.beta.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
]);
const NODE_RESTRICTION = /(?:^|\.)node-restriction\.kubernetes\.io$/;

type Check = (request: AdmissionRequest, node: string, refuse: (message: string) => Error) => void | Promise<void>;

/** A node writes itself and what runs on it, and of itself nothing by which others trust it. */
export function nodeRestriction(context: () => ServerContext): AdmissionPlugin {
  const checks: Readonly<Record<string, Check>> = {
    "/pods": (request, node, refuse) => checkPod(context(), request, node, refuse),
    "/nodes": checkNode,
    "/serviceaccounts": (request, node, refuse) => checkToken(context(), request, node, refuse),
    "coordination.k8s.io/leases": checkLease,
    "storage.k8s.io/csinodes": checkName,
    "resource.k8s.io/resourceslices": checkSlice,
  };
  return {
    name: "NodeRestriction",
    async validate(request) {
      const node = nodeOfUser(request.user);
      if (node === undefined) return;
      const { kind, name, object } = request;
      const refuse = (message: string): Error => forbidden(kind, name || (object?.metadata.name ?? ""), message);
      await checks[`${kind.group}/${kind.resource}`]?.(request, node, refuse);
    },
  };
}

async function checkPod(
  context: ServerContext,
  { operation, subresource, object, oldObject, namespace, name }: AdmissionRequest,
  node: string,
  refuse: (message: string) => Error,
): Promise<void> {
  if (subresource === "eviction") {
    const pod = await readObject(context, "", "pods", { name, namespace });
    if (pod !== undefined && textAt(pod, "spec", "nodeName") !== node) {
      throw refuse(`node "${node}" can only evict pods with spec.nodeName set to itself`);
    }
    return;
  }
  if (operation === "DELETE" || subresource === "status") {
    if (oldObject === null || textAt(oldObject, "spec", "nodeName") !== node) {
      const what = operation === "DELETE" ? "delete pods" : "update pod status for pods";
      throw refuse(`node "${node}" can only ${what} with spec.nodeName set to itself`);
    }
    if (operation === "UPDATE" && !deepEqual(oldObject.metadata.labels ?? {}, object?.metadata.labels ?? {})) {
      throw refuse(`node "${node}" cannot update labels through pod status`);
    }
    return;
  }
  if (operation !== "CREATE" || object === null) throw refuse(`unexpected operation "${operation}"`);
  if (object.metadata.annotations?.[MIRROR] === undefined) {
    throw refuse(`pod does not have "${MIRROR}" annotation, node "${node}" can only create mirror pods`);
  }
  if (textAt(object, "spec", "nodeName") !== node) {
    throw refuse(`node "${node}" can only create pods with spec.nodeName set to itself`);
  }
  const annotations = Object.fromEntries(Object.entries(object.metadata.annotations).filter(([key]) => key !== MIRROR));
  for (const one of podReferences({ ...object, metadata: { ...object.metadata, annotations } })) {
    const [resource = ""] = one.split("/");
    throw refuse(`node "${node}" can not create pods that reference ${WORDS[resource] ?? resource}`);
  }
}

/** A token is for a pod that runs there; that it is the pod's own account is looked at where it is made. */
async function checkToken(
  context: ServerContext,
  { subresource, object, namespace, name: account, user }: AdmissionRequest,
  node: string,
  refuse: (message: string) => Error,
): Promise<void> {
  if (subresource !== "token") return;
  const [kind, name, uid] = ["kind", "name", "uid"].map((field) => textAt(object, "spec", "boundObjectRef", field));
  if (kind !== "Pod" || !name) throw refuse("node requested token not bound to a pod");
  if (!uid) throw refuse("node requested token with a pod binding without a uid");
  const pod = await readObject(context, "", "pods", { name, namespace });
  if (pod?.metadata.uid !== uid) throw refuse("node requested token bound to a pod that is not there");
  if (textAt(pod, "spec", "nodeName") !== node)
    throw refuse("node requested token bound to a pod scheduled on a different node");
  const audiences = listAt(object, "spec", "audiences").map(String);
  if (audiences.length > 1) throw refuse("node may only request 0 or 1 audiences");
  const [audience = ""] = audiences;
  if (await wantsAudience(context, pod, audience)) return;
  const resource = { group: "", version: "v1", resource: audience, namespace, name: account, subresource: "" };
  const asked = { user, verb: "request-serviceaccounts-token-audience", path: "", resource };
  if ((await decide(context.authorizers, asked)).allowed) return;
  throw refuse(
    `audience ${JSON.stringify(audience)} not found in pod spec volume, ${user.name} is not authorized to request tokens for this audience`,
  );
}

const WORDS: Readonly<Record<string, string>> = {
  serviceaccounts: "a service account",
  persistentvolumeclaims: "persistentvolumeclaims",
};

function checkNode(
  { operation, object, oldObject, name, subresource }: AdmissionRequest,
  node: string,
  refuse: (message: string) => Error,
): void {
  const about = name || (object?.metadata.name ?? "");
  if (about !== node) throw refuse(`node "${node}" is not allowed to modify node "${about}"`);
  if (object === null) throw refuse(`node "${node}" is not allowed to delete itself`);
  const labels = changedLabels(object, oldObject).filter(isForbiddenLabel);
  if (operation === "CREATE") {
    if (labels.length > 0)
      throw refuse(`node "${node}" is not allowed to set the following labels: ${labels.join(", ")}`);
    if (listAt(object, "metadata", "ownerReferences").length > 0) {
      throw refuse(`node "${node}" is not allowed to set ownerReferences on itself`);
    }
    return;
  }
  if (oldObject === null) return;
  const same = (...path: readonly string[]): boolean =>
    deepEqual(valueAt(object, ...path) ?? null, valueAt(oldObject, ...path) ?? null);
  if (subresource === "" && !same("spec", "taints")) throw refuse(`node "${node}" is not allowed to modify taints`);
  if (labels.length > 0) throw refuse(`is not allowed to modify labels: ${labels.join(", ")}`);
  if (!same("metadata", "ownerReferences")) throw refuse(`node "${node}" is not allowed to modify ownerReferences`);
}

function changedLabels(object: KubeObject, old: KubeObject | null): readonly string[] {
  const [now, before] = [object.metadata.labels ?? {}, old?.metadata.labels ?? {}];
  return [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((key) => now[key] !== before[key]).sort();
}

function isForbiddenLabel(label: string): boolean {
  const slash = label.indexOf("/");
  if (slash < 0) return false;
  const prefix = label.slice(0, slash);
  if (NODE_RESTRICTION.test(prefix)) return true;
  return (
    RESTRICTED.test(prefix) &&
    !OWN_PREFIXES.test(prefix) &&
    !OWN_LABELS.has(label) &&
    label !== "node.kubernetes.io/instance-type"
  );
}

function checkLease(
  { object, namespace, name }: AdmissionRequest,
  node: string,
  refuse: (message: string) => Error,
): void {
  if (namespace !== "kube-node-lease") throw refuse(`can only access leases in the "kube-node-lease" system namespace`);
  if ((name || object?.metadata.name) !== node)
    throw refuse("can only access node lease with the same name as the requesting node");
}

function checkName({ object, name }: AdmissionRequest, node: string, refuse: (message: string) => Error): void {
  if ((name || object?.metadata.name) !== node)
    throw refuse("can only access CSINode with the same name as the requesting node");
}

function checkSlice({ object, oldObject }: AdmissionRequest, node: string, refuse: (message: string) => Error): void {
  const about: Json = object ?? oldObject;
  if (isObject(about) && textAt(about, "spec", "nodeName") !== node) {
    throw refuse("can only access ResourceSlices with the same Spec.NodeName as the requesting node");
  }
}
