import type { Kind } from "../kind/kind.ts";
import { type KubeObject, valueAt } from "../object/kube-object.ts";

const precedence = (object: KubeObject): number => Number(valueAt(object, "spec", "matchingPrecedence") ?? 0);

const byPrecedence = (a: KubeObject, b: KubeObject): number =>
  precedence(a) - precedence(b) || ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1);

/** The order of a table's rows; undefined where it is that of the list. */
export function tableOrder({ group, resource }: Kind): ((a: KubeObject, b: KubeObject) => number) | undefined {
  return group === "flowcontrol.apiserver.k8s.io" && resource === "flowschemas" ? byPrecedence : undefined;
}
