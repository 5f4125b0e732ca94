import { type KubeObject, textAt } from "@boxship/api";
import { NotFound } from "@boxship/base";
import { keyOf, type Resource } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { isFinished, isTerminating } from "../shared/pods.ts";
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, refOf } from "../shared/resources.ts";
import type { Pod } from "../types/pod.ts";
import type { Claim, Volume } from "../types/volumes.ts";

/** Keeps claims that are being deleted as long as pods on nodes use them. */
export const claimProtection: ControllerDefinition = {
  name: "pvc-protection-controller",
  open(context): Reconcile {
    const { informers, queue } = context;
    const pods = informers.of<Pod>(PODS);
    const claims = informers.of<Claim>(PERSISTENT_VOLUME_CLAIMS);
    const touched = (pod: Pod): void => {
      for (const name of claimsOf(pod)) queue.add(`${pod.metadata.namespace}/${name}`);
    };
    pods.handle({ updated: touched, deleted: touched });
    return protect(context, {
      resource: PERSISTENT_VOLUME_CLAIMS,
      finalizer: "kubernetes.io/pvc-protection",
      isUsed: ({ metadata: { namespace = "", name = "" } }) =>
        pods.find("namespace", namespace).some((pod) => isOnNode(pod) && claimsOf(pod).includes(name)),
      get: (key) => claims.get(key),
    });
  },
};

/** Keeps volumes that are being deleted as long as a claim has them. */
export const volumeProtection: ControllerDefinition = {
  name: "pv-protection-controller",
  open(context): Reconcile {
    const volumes = context.informers.of<Volume>(PERSISTENT_VOLUMES);
    return protect(context, {
      resource: PERSISTENT_VOLUMES,
      finalizer: "kubernetes.io/pv-protection",
      isUsed: (volume) => (volume as Volume).status?.phase === "Bound",
      get: (key) => volumes.get(key),
    });
  },
};

const isOnNode = (pod: Pod): boolean => (pod.spec?.nodeName ?? "") !== "" && !isFinished(pod);

function claimsOf({ metadata, spec }: Pod): readonly string[] {
  return (spec?.volumes ?? []).flatMap((volume) => {
    if (volume["ephemeral"] !== undefined) return `${metadata.name}-${textAt(volume, "name")}`;
    const source = volume["persistentVolumeClaim"] as { readonly claimName?: string } | undefined;
    return source?.claimName ?? [];
  });
}

interface Protection {
  readonly resource: Resource;
  readonly finalizer: string;
  readonly isUsed: (object: KubeObject) => boolean;
  readonly get: (key: string) => KubeObject | undefined;
}

function protect(context: ControllerContext, { resource, finalizer, isUsed, get }: Protection): Reconcile {
  const { client, informers, queue } = context;
  const add = (object: KubeObject): void => queue.add(keyOf(object));
  informers.of(resource).handle({ added: add, updated: add });
  return async (key) => {
    const object = get(key);
    if (object === undefined) return;
    const { finalizers = [], resourceVersion } = object.metadata;
    const held = finalizers.includes(finalizer);
    const ends = isTerminating(object);
    if (ends ? !held || isUsed(object) : held) return;
    const next = ends ? finalizers.filter((one) => one !== finalizer) : [...finalizers, finalizer];
    try {
      await client.patch(refOf(resource, object), "merge", { metadata: { resourceVersion, finalizers: next } });
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
    }
  };
}
