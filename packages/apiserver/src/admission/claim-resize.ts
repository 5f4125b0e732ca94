import { forbidden, type KubeObject, parseQuantity, textAt } from "@boxship/api";
import type { AdmissionPlugin } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { readObject } from "../storage/read-objects.ts";

/** Claims grow only where their storage class says that they may. */
export function claimResize(context: () => ServerContext): AdmissionPlugin {
  return {
    name: "PersistentVolumeClaimResize",
    async validate({ kind, operation, subresource, object, oldObject, name }) {
      if (kind.group !== "" || kind.resource !== "persistentvolumeclaims" || operation !== "UPDATE") return;
      if (subresource !== "" || object === null || oldObject === null || sizeOf(object) <= sizeOf(oldObject)) return;
      if (textAt(oldObject, "status", "phase") !== "Bound")
        throw forbidden(kind, name, "Only bound persistent volume claims can be expanded");
      const named = textAt(object, "spec", "storageClassName");
      const found =
        named === "" ? undefined : await readObject(context(), "storage.k8s.io", "storageclasses", { name: named });
      if (found?.["allowVolumeExpansion"] === true) return;
      throw forbidden(
        kind,
        name,
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
      );
    },
  };
}

const sizeOf = (claim: KubeObject): bigint =>
  parseQuantity(textAt(claim, "spec", "resources", "requests", "storage"))?.nano ?? 0n;
