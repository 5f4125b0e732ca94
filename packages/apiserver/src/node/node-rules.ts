import type { PolicyRule } from "@boxship/api/rules";

const READ = ["get", "list", "watch"];

const rule = (verbs: readonly string[], group: string, ...resources: readonly string[]): PolicyRule => ({
  apiGroups: [group],
  resources,
  verbs,
});

/** What every node may do, whichever object it is about. What is only its own is decided by {@link NodeAuthorizer}. */
export const NODE_RULES: readonly PolicyRule[] = [
  rule(["create"], "authentication.k8s.io", "tokenreviews"),
  rule(["create"], "authorization.k8s.io", "subjectaccessreviews", "localsubjectaccessreviews"),
  rule(READ, "", "services"),
  rule(["create"], "", "nodes"),
  rule(["create", "update", "patch"], "", "events"),
  rule(["create", "update", "patch"], "events.k8s.io", "events"),
  rule(["create", "delete"], "", "pods"),
  rule(["update", "patch"], "", "pods/status"),
  rule(["create"], "", "pods/eviction"),
  rule(["get"], "", "endpoints"),
  rule(["create", ...READ], "certificates.k8s.io", "certificatesigningrequests"),
  rule(READ, "storage.k8s.io", "csidrivers"),
  rule(READ, "node.k8s.io", "runtimeclasses"),
  rule(
    ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
    "resource.k8s.io",
    "resourceslices",
  ),
];

const PREFIX = "system:node:";

/** The node that a user is; undefined for everybody else. */
export function nodeOfUser({
  name,
  groups,
}: {
  readonly name: string;
  readonly groups: readonly string[];
}): string | undefined {
  return name.startsWith(PREFIX) && name.length > PREFIX.length && groups.includes("system:nodes")
    ? name.slice(PREFIX.length)
    : undefined;
}
