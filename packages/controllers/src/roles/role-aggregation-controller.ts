import type { LabelSelectorObject } from "@boxship/api";
import { deepEqual, type JsonObject, type KubeObject, matchesLabels, selectorOf } from "@boxship/api";
import type { Resource } from "@boxship/client";
import type { ControllerDefinition, Reconcile } from "../contract.ts";
import { refOf } from "../shared/resources.ts";

const CLUSTER_ROLES: Resource = { group: "rbac.authorization.k8s.io", version: "v1", resource: "clusterroles" };

interface ClusterRole extends KubeObject {
  rules?: JsonObject[];
  aggregationRule?: { clusterRoleSelectors?: LabelSelectorObject[] };
}

/** Writes into roles that gather others what they gather, for those who look at them. */
export const roleAggregationController: ControllerDefinition = {
  name: "clusterrole-aggregation-controller",
  open({ informers, queue, client }): Reconcile {
    const roles = informers.of<ClusterRole>(CLUSTER_ROLES);
    const all = (): void => {
      for (const { aggregationRule, metadata } of roles.all()) {
        if (aggregationRule !== undefined) queue.add(metadata.name ?? "");
      }
    };
    roles.handle({ added: all, updated: all, deleted: all });
    return async (name) => {
      const role = roles.get(name);
      if (role?.aggregationRule === undefined) return;
      const rules = gathered(role, [...roles.all()]);
      if (deepEqual(rules, role.rules ?? [])) return;
      const { resourceVersion } = role.metadata;
      await client.patch(refOf(CLUSTER_ROLES, role), "merge", { metadata: { resourceVersion }, rules });
    };
  },
};

/**
 * What roles that gather nothing themselves have to give, also through others that gather. What those others have now is not
 * looked at: roles that gather each other would hand it around for ever.
 */
function gathered(role: ClusterRole, all: readonly ClusterRole[]): JsonObject[] {
  const sorted = [...all].sort((left, right) => ((left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1));
  const rules: JsonObject[] = [];
  const seen = new Set([role]);
  const gather = ({ aggregationRule, rules: own = [] }: ClusterRole): void => {
    if (aggregationRule === undefined) {
      for (const rule of own) if (!rules.some((one) => deepEqual(one, rule))) rules.push(rule);
      return;
    }
    for (const selectorObject of aggregationRule.clusterRoleSelectors ?? []) {
      const selector = selectorOf(selectorObject) ?? [];
      for (const other of sorted) {
        if (seen.has(other) || !matchesLabels(selector, other.metadata.labels)) continue;
        seen.add(other);
        gather(other);
      }
    }
  };
  gather(role);
  return rules;
}
