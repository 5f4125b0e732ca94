import type { KubeObject } from "@boxship/api";
import { controllerReference } from "../shared/owners.ts";
import { podOfTemplate } from "../shared/pods.ts";
import type { Pod, PodTemplate } from "../types/pod.ts";
import type { ClaimTemplate, StatefulSet } from "../types/sets.ts";

export const REVISION_LABEL = "controller-revision-hash";
const NAME_LABEL = "statefulset.kubernetes.io/pod-name";
const INDEX_LABEL = "apps.kubernetes.io/pod-index";

/** The ordinal of a pod of the set; undefined for a pod whose name is no member's. */
export function ordinalOf({ metadata }: StatefulSet, { metadata: { name = "" } }: KubeObject): number | undefined {
  const match = /^(.*)-(\d+)$/.exec(name);
  return match !== null && match[1] === metadata.name ? Number(match[2]) : undefined;
}

export const revisionLabelOf = ({ metadata }: KubeObject): string => metadata.labels?.[REVISION_LABEL] ?? "";

export const claimName = (template: ClaimTemplate, podName: string): string => `${template.metadata?.name}-${podName}`;

/** The member with an ordinal: its name, its labels, its volumes. */
export function podOfSet(set: StatefulSet, template: PodTemplate, revision: string, ordinal: number): Pod {
  const pod = podOfTemplate(template);
  const name = `${set.metadata.name}-${ordinal}`;
  pod.metadata.name = name;
  pod.metadata.namespace = set.metadata.namespace ?? "";
  pod.metadata.labels = {
    ...pod.metadata.labels,
    [NAME_LABEL]: name,
    [INDEX_LABEL]: `${ordinal}`,
    [REVISION_LABEL]: revision,
  };
  pod.metadata.ownerReferences = [controllerReference(set)];
  const spec = (pod.spec ??= {});
  spec.hostname = name;
  if (set.spec?.serviceName) spec.subdomain = set.spec.serviceName;
  const claims = set.spec?.volumeClaimTemplates ?? [];
  const claimed = new Set(claims.map(({ metadata }) => metadata?.name));
  const volumes = claims.map((claim) => ({
    name: claim.metadata?.name ?? "",
    persistentVolumeClaim: { claimName: claimName(claim, name) },
  }));
  if (volumes.length > 0) {
    const others = (spec.volumes ?? []).filter((volume) => !claimed.has(volume["name"] as string));
    spec.volumes = [...volumes, ...others];
  }
  return pod;
}
