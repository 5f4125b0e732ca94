import { forbidden, type KubeObject, listAt, textAt } from "@boxship/api";
import { type PolicyRule, rulesCover } from "@boxship/api/rules";
import { inTurns } from "@boxship/base";
import { decide, MASTERS } from "../access/authorize.ts";
import type { AdmissionPlugin, AdmissionRequest, Attributes, User } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import type { RbacAuthorizer } from "./rbac-authorizer.ts";

const GROUP = "rbac.authorization.k8s.io";

/**
 * Nobody gives more than they have: who writes a role needs its rules, or the verb `escalate`; who writes a binding
 * needs the rules of its role, or the verb `bind`. Roles that gather others are for who may do everything.
 */
export function preventEscalation(context: () => ServerContext, rbac: () => RbacAuthorizer): AdmissionPlugin {
  return {
    name: "RBACEscalation",
    async validate(request) {
      const { kind, object, operation, user } = request;
      if (kind.group !== GROUP || object === null || (operation !== "CREATE" && operation !== "UPDATE")) return;
      if (user.groups.includes(MASTERS)) return;
      const isBinding = kind.resource.endsWith("bindings");
      const wanted = isBinding
        ? await rbac().rulesOfBinding(object, request.namespace)
        : (listAt(object, "rules") as unknown as readonly PolicyRule[]);
      if (await mayAnyway(context(), request, isBinding)) return;
      const { resourceRules, nonResourceRules } = await rbac().rulesFor(user, request.namespace);
      const own = [...resourceRules, ...nonResourceRules];
      if (!(await inTurns(rulesCover(own, wanted)))) throw forbidden(kind, request.name, refusal(user));
      // What gathers may gather anything, later too.
      if (!gathers(object) && !gathers(request.oldObject)) return;
      if (await inTurns(rulesCover(own, EVERYTHING))) return;
      throw forbidden(kind, request.name, "must have cluster-admin privileges to use the aggregationRule");
    },
  };
}

const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] },
];

const gathers = (role: KubeObject | null): boolean =>
  role !== null && listAt(role, "aggregationRule", "clusterRoleSelectors").length > 0;

async function mayAnyway(
  { authorizers }: ServerContext,
  request: AdmissionRequest,
  isBinding: boolean,
): Promise<boolean> {
  const { kind, object, user, namespace } = request;
  const roleKind = textAt(object ?? undefined, "roleRef", "kind") === "Role" ? "roles" : "clusterroles";
  const attributes: Attributes = {
    user,
    verb: isBinding ? "bind" : "escalate",
    path: "",
    resource: {
      group: GROUP,
      version: kind.version,
      resource: isBinding ? roleKind : kind.resource,
      namespace,
      name: isBinding ? textAt(object ?? undefined, "roleRef", "name") : request.name,
      subresource: "",
    },
  };
  return (await decide(authorizers, attributes)).allowed;
}

const refusal = ({ name, groups }: User): string =>
  `user ${JSON.stringify(name)} (groups=${JSON.stringify(groups)}) is attempting to grant RBAC permissions not currently held`;
