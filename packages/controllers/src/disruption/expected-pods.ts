import { FailedPrecondition, NotFound } from "@boxship/base";
import { objectPath } from "@boxship/client";
import type { ControllerClient } from "../contract.ts";
import type { SharedInformers } from "../frame/shared-informers.ts";
import { scaledValue } from "../shared/int-or-percent.ts";
import { controllerOf } from "../shared/owners.ts";
import { DEPLOYMENTS, REPLICA_SETS, REPLICATION_CONTROLLERS, STATEFUL_SETS } from "../shared/resources.ts";
import type { ServedKinds } from "../shared/served-kinds.ts";
import type { Scale } from "../types/autoscaler.ts";
import type { DisruptionBudget } from "../types/disruption.ts";
import type { Pod } from "../types/pod.ts";
import type { StatefulSet } from "../types/sets.ts";
import type { Deployment, ReplicaSet } from "../types/workloads.ts";

export interface Expected {
  /** How many pods there are meant to be. */
  readonly pods: number;
  /** How many of them have to be healthy. */
  readonly healthy: number;
  /** Pods that nobody controls. */
  readonly unmanaged: readonly string[];
}

/** Where scales are looked up. */
export interface ScaleSource {
  readonly informers: SharedInformers;
  readonly kinds: ServedKinds;
  readonly client: ControllerClient;
}

/** @throws FailedPrecondition where a pod's controller has no scale that is known */
export async function expectedPods(
  source: ScaleSource,
  { spec = {} }: DisruptionBudget,
  pods: readonly Pod[],
): Promise<Expected> {
  const { minAvailable, maxUnavailable } = spec;
  if (maxUnavailable !== undefined) {
    const { scale, unmanaged } = await scaleOf(source, pods);
    return { pods: scale, healthy: Math.max(0, scale - scaledValue(maxUnavailable, scale, "up")), unmanaged };
  }
  if (typeof minAvailable === "string") {
    const { scale, unmanaged } = await scaleOf(source, pods);
    return { pods: scale, healthy: scaledValue(minAvailable, scale, "up"), unmanaged };
  }
  return { pods: pods.length, healthy: minAvailable ?? 0, unmanaged: [] };
}

/** What all controllers of the pods ask for together. */
async function scaleOf(source: ScaleSource, pods: readonly Pod[]) {
  const scales = new Map<string, number>();
  const unmanaged: string[] = [];
  for (const pod of pods) {
    const controller = controllerOf(pod);
    if (controller === undefined) {
      unmanaged.push(pod.metadata.name ?? "");
      continue;
    }
    if (scales.has(controller.uid)) continue;
    const found = findScale(source.informers, pod) ?? (await askForScale(source, pod));
    if (found === undefined) {
      throw new FailedPrecondition(`found no controllers for pod "${pod.metadata.name}"`);
    }
    scales.set(controller.uid, 0);
    scales.set(found.uid, found.scale);
  }
  return { scale: [...scales.values()].reduce((sum, scale) => sum + scale, 0), unmanaged };
}

function findScale(informers: SharedInformers, pod: Pod): { readonly uid: string; readonly scale: number } | undefined {
  const { namespace } = pod.metadata;
  const { kind = "", name = "", uid = "" } = controllerOf(pod) ?? {};
  switch (kind) {
    case "ReplicationController":
      return asScale(informers.of<ReplicaSet>(REPLICATION_CONTROLLERS).get(`${namespace}/${name}`), uid);
    case "StatefulSet":
      return asScale(informers.of<StatefulSet>(STATEFUL_SETS).get(`${namespace}/${name}`), uid);
    case "ReplicaSet": {
      const set = informers.of<ReplicaSet>(REPLICA_SETS).get(`${namespace}/${name}`);
      const owner = set === undefined ? undefined : controllerOf(set);
      if (owner?.kind !== "Deployment") return asScale(set, uid);
      return asScale(informers.of<Deployment>(DEPLOYMENTS).get(`${namespace}/${owner.name}`), owner.uid);
    }
    default:
      return undefined;
  }
}

/** Of other kinds that have a scale, custom ones, too. */
async function askForScale({ kinds, client }: ScaleSource, pod: Pod) {
  const { namespace = "" } = pod.metadata;
  const { apiVersion = "", kind = "", name = "", uid = "" } = controllerOf(pod) ?? {};
  const found = kinds.find(apiVersion, kind);
  if (found === undefined) throw new FailedPrecondition(`no matches for kind "${kind}" in version "${apiVersion}"`);
  if (found.scale === undefined) {
    const what = found.group === "" ? found.resource : `${found.resource}.${found.group}`;
    throw new FailedPrecondition(`${what} does not implement the scale subresource`);
  }
  const { group, version, resource } = found;
  try {
    const scale = (await client.getRaw(
      objectPath({ group, version, resource, namespace, name }, "scale"),
    )) as unknown as Scale;
    return scale.metadata.uid === uid ? { uid, scale: scale.spec?.replicas ?? 0 } : undefined;
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}

function asScale(object: Deployment | ReplicaSet | StatefulSet | undefined, uid: string) {
  return object?.metadata.uid === uid ? { uid, scale: object.spec?.replicas ?? 1 } : undefined;
}
