import type { JsonObject, KubeObject, LabelSelectorObject } from "@boxship/api";

export interface Claim extends KubeObject {
  spec?: JsonObject & {
    volumeName?: string;
    storageClassName?: string;
    volumeMode?: string;
    accessModes?: string[];
    resources?: { requests?: { [name: string]: string } };
    selector?: LabelSelectorObject;
  };
  status?: JsonObject & { phase?: string; capacity?: { [name: string]: string }; accessModes?: string[] };
}

export type ClaimReference = {
  kind?: string;
  namespace?: string;
  name?: string;
  uid?: string;
  apiVersion?: string;
  resourceVersion?: string;
};

export interface Volume extends KubeObject {
  spec?: JsonObject & {
    claimRef?: ClaimReference;
    storageClassName?: string;
    volumeMode?: string;
    accessModes?: string[];
    capacity?: { [name: string]: string };
    persistentVolumeReclaimPolicy?: string;
    local?: { path?: string };
  };
  status?: JsonObject & { phase?: string; message?: string; lastPhaseTransitionTime?: string };
}

export interface StorageClass extends KubeObject {
  provisioner?: string;
  volumeBindingMode?: string;
  reclaimPolicy?: string;
  parameters?: { [name: string]: string };
  mountOptions?: string[];
}
