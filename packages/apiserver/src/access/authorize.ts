import { failure, type StatusDetails } from "@boxship/api";
import type { Attributes, Authorizer, Decision, UserRules } from "../contract.ts";

/** Members may do everything. */
export const MASTERS = "system:masters";

export const mastersAuthorizer: Authorizer = {
  authorize: ({ user }) => (user.groups.includes(MASTERS) ? { verdict: "allow" } : { verdict: "no-opinion" }),
  rulesFor: ({ groups }) => (groups.includes(MASTERS) ? ALL_RULES : { resourceRules: [], nonResourceRules: [] }),
};

/** Of those who may do everything. */
export const ALL_RULES: UserRules = {
  resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }],
  nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
};

interface Verdict {
  readonly allowed: boolean;
  readonly reason: string;
}

/** The first authorizer with an opinion decides; without one it is no. */
export function decide(authorizers: readonly Authorizer[], attributes: Attributes): Verdict | Promise<Verdict> {
  const decision = firstOpinion(authorizers, attributes);
  return decision instanceof Promise ? decision.then(verdictOf) : verdictOf(decision);
}

const verdictOf = ({ verdict, reason = "" }: Decision): Verdict => ({ allowed: verdict === "allow", reason });

/** What the first authorizer with an opinion says; without one, why the last had none. */
export function firstOpinion(
  authorizers: readonly Authorizer[],
  attributes: Attributes,
  before = "",
): Decision | Promise<Decision> {
  let why = before;
  for (const [index, one] of authorizers.entries()) {
    const decision = one.authorize(attributes);
    if (decision instanceof Promise) return opinionLater(decision, why, authorizers.slice(index + 1), attributes);
    if (decision.verdict !== "no-opinion") return decision;
    why = decision.reason || why;
  }
  return { verdict: "no-opinion", reason: why };
}

async function opinionLater(
  deciding: Promise<Decision>,
  why: string,
  others: readonly Authorizer[],
  attributes: Attributes,
): Promise<Decision> {
  const decision = await deciding;
  if (decision.verdict !== "no-opinion") return decision;
  return await firstOpinion(others, attributes, decision.reason || why);
}

/** @returns why it is allowed @throws Forbidden */
export function authorize(authorizers: readonly Authorizer[], attributes: Attributes): string | Promise<string> {
  const verdict = decide(authorizers, attributes);
  return verdict instanceof Promise
    ? verdict.then((settled) => reasonOf(settled, attributes))
    : reasonOf(verdict, attributes);
}

function reasonOf({ allowed, reason }: Verdict, attributes: Attributes): string {
  if (!allowed) throw refusal(attributes, reason);
  return reason;
}

/** What somebody is told who may not. */
export function refusal({ user, verb, path, resource }: Attributes, reason: string): Error {
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
