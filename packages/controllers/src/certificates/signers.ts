import type { RequestedCertificate } from "@boxship/apiserver";

/** Signers that every cluster has, and what they sign. */

export const CLIENT = "kubernetes.io/kube-apiserver-client";
export const KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet";
export const KUBELET_SERVING = "kubernetes.io/kubelet-serving";

const NODES = "system:nodes";
const NODE_PREFIX = "system:node:";

/** @returns why a signer does not sign it; undefined for what it signs */
export type Objection = (request: RequestedCertificate, usages: readonly string[]) => string | undefined;

const isNodes = ({ organizations, commonName }: RequestedCertificate): string | undefined => {
  if (organizations.length !== 1 || organizations[0] !== NODES) {
    return "subject organization is not system:nodes";
  }
  return commonName.startsWith(NODE_PREFIX) ? undefined : "subject common name does not begin with system:node:";
};

const names = (request: RequestedCertificate, ...types: readonly string[]): boolean =>
  request.names.some(({ type }) => types.includes(type));

/** All of these, with `key encipherment` or without. */
function areUsages(usages: readonly string[], wanted: string): string | undefined {
  const rest = new Set(usages);
  for (const usage of ["digital signature", "key encipherment", wanted]) rest.delete(usage);
  const isThere = usages.includes("digital signature") && usages.includes(wanted);
  return isThere && rest.size === 0 ? undefined : `usages did not match "digital signature,key encipherment,${wanted}"`;
}

export const SIGNERS: Readonly<Record<string, Objection>> = {
  [CLIENT]: (_, usages) => {
    const allowed = new Set(["digital signature", "key encipherment", "client auth"]);
    const isAllowed = usages.every((usage) => allowed.has(usage)) && usages.includes("client auth");
    return isAllowed ? undefined : "invalid usages for client certificate";
  },
  [KUBELET_CLIENT]: (request, usages) => {
    const against = isNodes(request);
    if (against !== undefined) return against;
    if (request.names.length > 0) return "subjectAltNames are not allowed in a kubelet's client certificate";
    return areUsages(usages, "client auth");
  },
  [KUBELET_SERVING]: (request, usages) => {
    const against = isNodes(request);
    if (against !== undefined) return against;
    if (!names(request, "dns", "ip")) return "at least one DNS or IP subjectAltName is required";
    if (names(request, "email", "url")) return "email and URI subjectAltNames are not allowed";
    return areUsages(usages, "server auth");
  },
};
