import {
  compileNodeSelector,
  type KubeObject,
  listAt,
  NO_PROVISIONER,
  type NodeMatch,
  type NodeSelector,
  textAt,
  valueAt,
  volumeCapacity,
  volumesFitting,
} from "@boxship/api";
import type { NodeInfo } from "../cluster/node-info.ts";
import type { ClaimPlan, VolumeState } from "./volume-state.ts";

const matchers = new WeakMap<KubeObject, NodeMatch>();

/** Whether a volume can be reached from a node. */
export function isReachable(volume: KubeObject, node: NodeInfo): boolean {
  const known = matchers.get(volume);
  if (known !== undefined) return known(node);
  const required = valueAt(volume, "spec", "nodeAffinity", "required") as NodeSelector | undefined;
  const match: NodeMatch = required === undefined ? () => true : compileNodeSelector(required);
  matchers.set(volume, match);
  return match(node);
}

/** Volumes that a claim may have, wherever they are; the smallest first. */
export function volumesFor(claim: KubeObject, state: VolumeState): readonly KubeObject[] {
  const isNamed = (volume: KubeObject): boolean => valueAt(volume, "spec", "claimRef") !== undefined;
  return [...state.freeFor(claim)]
    .filter(volumesFitting(claim))
    .sort(
      (left, right) =>
        Number(isNamed(right)) - Number(isNamed(left)) || Number(volumeCapacity(left) - volumeCapacity(right)),
    );
}

/** Whether a volume can be made for a node, by the class's provisioner. */
function canProvision(storageClass: KubeObject | undefined, { labels }: NodeInfo): boolean {
  if (storageClass === undefined || textAt(storageClass, "provisioner") === NO_PROVISIONER) return false;
  const topologies = listAt(storageClass, "allowedTopologies");
  if (topologies.length === 0) return true;
  return topologies.some((term) =>
    listAt(term, "matchLabelExpressions").every((one) => {
      const value = labels[textAt(one, "key")];
      return value !== undefined && listAt(one, "values").includes(value);
    }),
  );
}

/** A claim without a volume, and the volumes that it may have. */
export interface OpenClaim {
  readonly claim: KubeObject;
  readonly candidates: readonly KubeObject[];
}

/**
 * Where each of a pod's claims gets its volume from if the pod goes to a node.
 *
 * @returns undefined where one of them would get none
 */
export function planClaims(open: readonly OpenClaim[], node: NodeInfo, state: VolumeState): ClaimPlan[] | undefined {
  const plans: ClaimPlan[] = [];
  const taken = new Set<KubeObject>();
  for (const { claim, candidates } of open) {
    const volume = candidates.find((one) => !taken.has(one) && isReachable(one, node));
    if (volume !== undefined) {
      taken.add(volume);
      plans.push({ claim, volume, nodeName: node.name });
    } else if (canProvision(state.class(textAt(claim, "spec", "storageClassName")), node)) {
      plans.push({ claim, nodeName: node.name });
    } else return undefined;
  }
  return plans;
}
