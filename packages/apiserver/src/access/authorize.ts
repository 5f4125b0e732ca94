import { failure, type StatusDetails } from "@boxship/api";
import type { Attributes, Authorizer } from "../contract.ts";

/** Members may do everything. */
export const MASTERS = "system:masters";

export const mastersAuthorizer: Authorizer = {
  authorize: ({ user }) => (user.groups.includes(MASTERS) ? { verdict: "allow" } : { verdict: "no-opinion" }),
  rulesFor: ({ groups }) =>
    groups.includes(MASTERS)
      ? {
          resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }],
          nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
        }
      : { resourceRules: [], nonResourceRules: [] },
};

/** The first authorizer with an opinion decides; without one it is no. */
export async function decide(
  authorizers: readonly Authorizer[],
  attributes: Attributes,
): Promise<{ readonly allowed: boolean; readonly reason: string }> {
  let why = "";
  for (const one of authorizers) {
    const { verdict, reason = "" } = await one.authorize(attributes);
    if (verdict !== "no-opinion") return { allowed: verdict === "allow", reason };
    if (reason !== "") why = reason;
  }
  return { allowed: false, reason: why };
}

/** @returns why it is allowed @throws Forbidden */
export async function authorize(authorizers: readonly Authorizer[], attributes: Attributes): Promise<string> {
  const { allowed, reason } = await decide(authorizers, attributes);
  if (!allowed) throw refusal(attributes, reason);
  return reason;
}

function refusal({ user, verb, path, resource }: Attributes, reason: string): Error {
  const because = reason === "" ? "" : `: ${reason}`;
  const who = `User ${JSON.stringify(user.name)}`;
  if (resource === undefined)
    return failure("Forbidden", `forbidden: ${who} cannot ${verb} path ${JSON.stringify(path)}${because}`, {});
  const { group, name, namespace, subresource } = resource;
  const full = subresource === "" ? resource.resource : `${resource.resource}/${subresource}`;
  const qualified = group === "" ? resource.resource : `${resource.resource}.${group}`;
  const about = name === "" ? qualified : `${qualified} ${JSON.stringify(name)}`;
  const scope =
    namespace === "" || resource.resource === "namespaces"
      ? "at the cluster scope"
      : `in the namespace ${JSON.stringify(namespace)}`;
  const details: StatusDetails = {
    ...(name === "" ? {} : { name }),
    ...(group === "" ? {} : { group }),
    kind: resource.resource,
  };
  return failure(
    "Forbidden",
    `${about} is forbidden: ${who} cannot ${verb} resource ${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${scope}${because}`,
    details,
  );
}
