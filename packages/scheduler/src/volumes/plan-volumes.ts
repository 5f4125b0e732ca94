import type { ClusterState } from "../cluster/cluster-state.ts";
import type { NodeInfo } from "../cluster/node-info.ts";
import { readClaims } from "../plugins/volume-plugins.ts";
import type { PodInfo } from "../pod/pod-info.ts";
import { planClaims } from "./match-volumes.ts";
import { type ClaimPlan, claimsOf } from "./volume-state.ts";

/** What is to be written for a pod's claims once its node is chosen; nothing where all have their volumes. */
export function planVolumes(pod: PodInfo, node: NodeInfo, { volumes }: ClusterState): readonly ClaimPlan[] {
  if (claimsOf(pod).length === 0) return [];
  const claims = readClaims(pod, volumes);
  return "reasons" in claims ? [] : (planClaims(claims.open, node, volumes) ?? []);
}
