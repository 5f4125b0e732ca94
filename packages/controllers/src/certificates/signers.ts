import type { RequestedCertificate } from "@boxship/apiserver";

/** Signers that every cluster has, and what they sign. */

export const CLIENT = "kubernetes.io/kube-apiserver-client";
export const KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet";
export const KUBELET_SERVING = "kubernetes.io/kubelet-serving";

const NODES = "system:nodes";
const NODE_PREFIX = "system:node:";

/** @returns why a signer does not sign it; undefined for what it signs */
export type Objection = (request: RequestedCertificate, usages: readonly string[]) => string | undefined;

const ofNodes = ({ organizations }: RequestedCertificate): string | undefined =>
  organizations.length === 1 && organizations[0] === NODES ? undefined : "subject organization is not system:nodes";

const ofOneNode = ({ commonName }: RequestedCertificate): string | undefined =>
  commonName.startsWith(NODE_PREFIX) ? undefined : "subject common name does not begin with system:node:";

const WORDS = { dns: "DNS", email: "Email", ip: "IP", url: "URI" } as const;

function withoutNames(request: RequestedCertificate, ...types: readonly (keyof typeof WORDS)[]): string | undefined {
  const found = types.find((type) => request.names.some((name) => name.type === type));
  return found === undefined ? undefined : `${WORDS[found]} subjectAltNames are not allowed`;
}

/** All of these, with `key encipherment` or without. */
function areUsages(usages: readonly string[], wanted: string): string | undefined {
  const rest = new Set(usages);
  for (const usage of ["digital signature", "key encipherment", wanted]) rest.delete(usage);
  const isThere = usages.includes("digital signature") && usages.includes(wanted);
  const all = ["digital signature", "key encipherment", wanted].sort().join(" ");
  return isThere && rest.size === 0 ? undefined : `usages did not match [${all}]`;
}

/** What is told is in upstream's words, and of several things the one that it tells. */
export const SIGNERS: Readonly<Record<string, Objection>> = {
  [CLIENT]: (_, usages) => {
    const allowed = new Set(["digital signature", "key encipherment", "client auth"]);
    const odd = usages.find((usage) => !allowed.has(usage));
    if (odd !== undefined) return `invalid usage for client certificate: ${odd}`;
    return usages.includes("client auth") ? undefined : "missing required usage for client certificate: client auth";
  },
  [KUBELET_CLIENT]: (request, usages) =>
    ofNodes(request) ??
    withoutNames(request, "dns", "email", "ip", "url") ??
    ofOneNode(request) ??
    areUsages(usages, "client auth"),
  [KUBELET_SERVING]: (request, usages) => {
    const isNamed = request.names.some(({ type }) => type === "dns" || type === "ip");
    const nameless = isNamed ? undefined : "DNS or IP subjectAltName is required";
    return (
      ofNodes(request) ??
      nameless ??
      withoutNames(request, "email", "url") ??
      areUsages(usages, "server auth") ??
      ofOneNode(request)
    );
  },
};
