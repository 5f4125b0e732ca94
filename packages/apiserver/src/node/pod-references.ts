import { isObject, type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { containersOf } from "../admission/pods.ts";

const MIRROR = "kubernetes.io/config.mirror";

/** What a pod needs, as `RESOURCE/NAME` in its namespace. A mirror pod, which its node makes itself, needs nothing. */
export function podReferences({ metadata, spec, status }: KubeObject): ReadonlySet<string> {
  const found = new Set<string>();
  if (!isObject(spec ?? null) || metadata.annotations?.[MIRROR] !== undefined) return found;
  const add = (resource: string, name: string): void => {
    if (name !== "") found.add(`${resource}/${name}`);
  };
  const pod = spec as Extract<Json, object> & Record<string, Json>;
  add("serviceaccounts", textAt(pod, "serviceAccountName"));
  for (const secret of listAt(pod, "imagePullSecrets")) add("secrets", textAt(secret, "name"));
  for (const container of [...containersOf(pod), ...listAt(pod, "ephemeralContainers")]) {
    for (const source of listAt(container, "envFrom")) {
      add("secrets", textAt(source, "secretRef", "name"));
      add("configmaps", textAt(source, "configMapRef", "name"));
    }
    for (const variable of listAt(container, "env")) {
      add("secrets", textAt(variable, "valueFrom", "secretKeyRef", "name"));
      add("configmaps", textAt(variable, "valueFrom", "configMapKeyRef", "name"));
    }
  }
  for (const volume of listAt(pod, "volumes")) volumeReferences(volume, metadata.name ?? "", add);
  for (const claim of listAt(pod, "resourceClaims")) add("resourceclaims", textAt(claim, "resourceClaimName"));
  for (const claim of listAt(status ?? null, "resourceClaimStatuses"))
    add("resourceclaims", textAt(claim, "resourceClaimName"));
  return found;
}

function volumeReferences(volume: Json, pod: string, add: (resource: string, name: string) => void): void {
  add("secrets", textAt(volume, "secret", "secretName"));
  add("configmaps", textAt(volume, "configMap", "name"));
  add("persistentvolumeclaims", textAt(volume, "persistentVolumeClaim", "claimName"));
  if (valueAt(volume, "ephemeral") !== undefined) add("persistentvolumeclaims", `${pod}-${textAt(volume, "name")}`);
  add("secrets", textAt(volume, "csi", "nodePublishSecretRef", "name"));
  add("secrets", textAt(volume, "azureFile", "secretName"));
  for (const source of ["cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"]) {
    add("secrets", textAt(volume, source, "secretRef", "name"));
  }
  for (const source of listAt(volume, "projected", "sources")) {
    add("secrets", textAt(source, "secret", "name"));
    add("configmaps", textAt(source, "configMap", "name"));
  }
}
