import type { AdmissionPlugin } from "../contract.ts";

const FINALIZERS: Readonly<Record<string, string>> = {
  "/persistentvolumeclaims": "kubernetes.io/pvc-protection",
  "/persistentvolumes": "kubernetes.io/pv-protection",
};

/** Claims and volumes are held from their beginning: who looks after them lets them go when nobody uses them. */
export const storageProtection: AdmissionPlugin = {
  name: "StorageObjectInUseProtection",
  mutate({ kind, operation, subresource, object }) {
    const finalizer = FINALIZERS[`${kind.group}/${kind.resource}`];
    if (finalizer === undefined || operation !== "CREATE" || subresource !== "" || object === null) return;
    const { finalizers = [] } = object.metadata;
    if (!finalizers.includes(finalizer)) object.metadata.finalizers = [...finalizers, finalizer];
  },
};
