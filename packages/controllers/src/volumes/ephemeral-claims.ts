import { deepCopy, type JsonObject, type KubeObject, textAt } from "@boxship/api";
import { AlreadyExists, errorMessage } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerDefinition, Reconcile } from "../contract.ts";
import { controllerReference } from "../shared/owners.ts";
import { isFinished, isTerminating } from "../shared/pods.ts";
import { PERSISTENT_VOLUME_CLAIMS, PODS } from "../shared/resources.ts";
import type { Pod } from "../types/pod.ts";

/** Makes the claims of pods' `ephemeral` volumes; they are the pod's own, and go with it. */
export const ephemeralClaims: ControllerDefinition = {
  name: "ephemeral-volume-controller",
  open({ client, informers, queue, events }): Reconcile {
    const pods = informers.of<Pod>(PODS);
    const claims = informers.of(PERSISTENT_VOLUME_CLAIMS);
    const look = (pod: Pod): void => {
      if (templatesOf(pod).length > 0) queue.add(keyOf(pod));
    };
    pods.handle({ added: look });
    claims.handle({
      deleted: ({ metadata: { namespace, ownerReferences = [] } }) => {
        for (const { kind, name } of ownerReferences) if (kind === "Pod") queue.add(`${namespace}/${name}`);
      },
    });
    return async (key) => {
      const pod = pods.get(key);
      if (pod === undefined || isTerminating(pod) || isFinished(pod)) return;
      const { namespace = "", uid = "" } = pod.metadata;
      for (const [name, template] of templatesOf(pod)) {
        const there = claims.get(`${namespace}/${name}`);
        if (there?.metadata.ownerReferences?.some((owner) => owner.uid === uid) === true) continue;
        try {
          if (there !== undefined) throw new AlreadyExists(`PVC "${name}" was not created for the pod`);
          await client.create({ ...PERSISTENT_VOLUME_CLAIMS, namespace }, claimFor(pod, name, template));
        } catch (error) {
          events.record(pod, "Warning", "FailedBinding", `ephemeral volume controller: ${errorMessage(error)}`);
          throw error;
        }
      }
    };
  },
};

type Template = { readonly metadata?: KubeObject["metadata"]; readonly spec?: JsonObject };

/** By the names of their claims. */
function templatesOf({ metadata, spec }: Pod): readonly (readonly [string, Template])[] {
  return (spec?.volumes ?? []).flatMap((volume) => {
    const { volumeClaimTemplate } = (volume["ephemeral"] ?? {}) as { readonly volumeClaimTemplate?: Template };
    return volumeClaimTemplate === undefined
      ? []
      : [[`${metadata.name}-${textAt(volume, "name")}`, volumeClaimTemplate]];
  });
}

function claimFor(pod: Pod, name: string, { metadata, spec = {} }: Template): KubeObject {
  const { labels, annotations } = metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      name,
      namespace: pod.metadata.namespace ?? "",
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(pod)],
    },
    spec: deepCopy(spec),
  };
}
