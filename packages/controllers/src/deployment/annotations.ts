import type { Deployment, ReplicaSet } from "../types/workloads.ts";

export const REVISION = "deployment.kubernetes.io/revision";
const HISTORY = "deployment.kubernetes.io/revision-history";
const DESIRED = "deployment.kubernetes.io/desired-replicas";
const MOST = "deployment.kubernetes.io/max-replicas";

/** What a Deployment's annotations say about the Deployment alone. */
const OWN = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  REVISION,
  HISTORY,
  DESIRED,
  MOST,
  "deprecated.deployment.rollback.to",
]);

const HISTORY_LENGTH = 2000;

type Annotated = { readonly metadata: { readonly annotations?: { readonly [name: string]: string } } };

/** 0 where there is none, or none that is a number. */
export function revisionOf({ metadata: { annotations } }: Annotated): number {
  const text = annotations?.[REVISION] ?? "";
  return /^\d+$/.test(text) ? Number(text) : 0;
}

/** The replicas that the Deployment asked for when the set was scaled last. */
export const desiredReplicasOf = (set: Annotated): number | undefined => numberAt(set, DESIRED);

export const mostReplicasOf = (set: Annotated): number | undefined => numberAt(set, MOST);

function numberAt({ metadata: { annotations } }: Annotated, name: string): number | undefined {
  const text = annotations?.[name] ?? "";
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The annotations of a set that is scaled. */
export function withReplicas(set: Annotated, desired: number, most: number): { [name: string]: string } {
  return { ...set.metadata.annotations, [DESIRED]: String(desired), [MOST]: String(most) };
}

/**
 * The annotations of the set that has the Deployment's template now: those of the Deployment, its revision, and the
 * revisions that it had before a rollback.
 */
export function annotationsOfNewest(
  { metadata }: Deployment,
  set: ReplicaSet | undefined,
  revision: number,
): { [name: string]: string } {
  const annotations: { [name: string]: string } = { ...set?.metadata.annotations };
  for (const [name, value] of Object.entries(metadata.annotations ?? {})) if (!OWN.has(name)) annotations[name] = value;
  const old = annotations[REVISION] ?? "";
  if (old !== "" && Number.isNaN(Number(old))) return annotations;
  if (Number(old) >= revision) return annotations;
  annotations[REVISION] = String(revision);
  if (set !== undefined && old !== "") annotations[HISTORY] = historyWith(annotations[HISTORY], old);
  return annotations;
}

function historyWith(history: string | undefined, old: string): string {
  const revisions = history === undefined || history === "" ? [] : history.split(",");
  revisions.push(old);
  while (revisions.length > 1 && revisions.join(",").length > HISTORY_LENGTH) revisions.shift();
  return revisions.join(",");
}
