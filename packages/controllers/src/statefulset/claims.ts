import { deepCopy, deepEqual, type KubeObject, type OwnerReference } from "@boxship/api";
import { AlreadyExists, errorMessage } from "@boxship/base";
import type { ControllerContext } from "../contract.ts";
import { PERSISTENT_VOLUME_CLAIMS, refOf } from "../shared/resources.ts";
import type { Pod } from "../types/pod.ts";
import type { StatefulSet } from "../types/sets.ts";
import { claimName } from "./identity.ts";

/** Makes the claims of a member that are missing. */
export async function makeClaims(context: ControllerContext, set: StatefulSet, podName: string): Promise<void> {
  const { client, events, informers } = context;
  const { namespace = "" } = set.metadata;
  const claims = informers.of(PERSISTENT_VOLUME_CLAIMS);
  for (const template of set.spec?.volumeClaimTemplates ?? []) {
    const name = claimName(template, podName);
    if (claims.get(`${namespace}/${name}`) !== undefined) continue;
    const { labels, annotations } = template.metadata ?? {};
    const claim: KubeObject = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        name,
        namespace,
        labels: { ...labels, ...set.spec?.selector?.matchLabels },
        ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
        ownerReferences: ownersFor(set, undefined, []),
      },
      spec: deepCopy(template.spec ?? {}),
    };
    const words = `create Claim ${name} Pod ${podName} in StatefulSet ${set.metadata.name}`;
    try {
      await client.create({ ...PERSISTENT_VOLUME_CLAIMS, namespace }, claim);
      events.record(set, "Normal", "SuccessfulCreate", `${words} success`);
    } catch (error) {
      if (error instanceof AlreadyExists) continue;
      events.record(set, "Warning", "FailedCreate", `${words} failed error: ${errorMessage(error)}`);
      throw error;
    }
  }
}

/** Makes claims go with their set or with a member that is one too many, as the set asks for. */
export async function ownClaims(
  { client, informers }: ControllerContext,
  set: StatefulSet,
  pod: Pod,
  isCondemned: boolean,
): Promise<void> {
  const claims = informers.of(PERSISTENT_VOLUME_CLAIMS);
  for (const template of set.spec?.volumeClaimTemplates ?? []) {
    const claim = claims.get(`${set.metadata.namespace}/${claimName(template, pod.metadata.name ?? "")}`);
    if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) continue;
    const { ownerReferences = [], resourceVersion } = claim.metadata;
    const owners = ownersFor(set, isCondemned ? pod : undefined, ownerReferences);
    if (deepEqual(owners, ownerReferences)) continue;
    const metadata = { resourceVersion, ownerReferences: owners };
    await client.patch(refOf(PERSISTENT_VOLUME_CLAIMS, claim), "merge", { metadata });
  }
}

function ownersFor(set: StatefulSet, condemned: Pod | undefined, present: readonly OwnerReference[]): OwnerReference[] {
  const { whenDeleted = "Retain", whenScaled = "Retain" } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const ours = (one: OwnerReference): boolean => one.uid === set.metadata.uid || one.kind === "Pod";
  const owners = present.filter((one) => !ours(one));
  const isScaled = condemned !== undefined && whenScaled === "Delete";
  if (isScaled) owners.push(referenceTo(condemned));
  else if (whenDeleted === "Delete") owners.push({ ...referenceTo(set), controller: true, blockOwnerDeletion: true });
  return owners;
}

function referenceTo({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  return { apiVersion, kind, name: metadata.name ?? "", uid: metadata.uid ?? "" };
}
