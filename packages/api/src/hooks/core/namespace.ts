import type { KindHooks } from "../../kind/kind.ts";
import { listAt, textAt } from "../../object/kube-object.ts";
import { findingsOf } from "../../validation/findings.ts";
import { validateFinalizer } from "../../validation/validate-metadata.ts";

/** Removed when all that is in a namespace is gone. */
const FINALIZER = "kubernetes";

/** `core/v1.Namespace` */
export const namespace: KindHooks = {
  validatesAll: true,
  prepareCreate(object) {
    const finalizers = [...listAt(object, "spec", "finalizers")];
    object["spec"] = { finalizers: finalizers.includes(FINALIZER) ? finalizers : [...finalizers, FINALIZER] };
    object["status"] = { phase: "Active" };
  },
  applyDefaults({ metadata }) {
    if (metadata.name) metadata.labels = { ...metadata.labels, "kubernetes.io/metadata.name": metadata.name };
  },
  prepareUpdate(object, old, subresource) {
    if (subresource !== "finalize") object["spec"] = old["spec"] ?? {};
  },
  validate: ({ spec }, old) =>
    listAt(spec, "finalizers").flatMap((name, index) =>
      validateFinalizer(textAt(name), old === undefined ? "spec.finalizers" : `spec.finalizers[${index}]`),
    ),
  validateStatus: ({ metadata, status }) =>
    findingsOf((found) => {
      const phase = textAt(status, "phase");
      const isGoing = metadata.deletionTimestamp !== undefined;
      const why = isGoing
        ? "may only be 'Terminating' if `deletionTimestamp` is not empty"
        : "may only be 'Active' if `deletionTimestamp` is empty";
      if (phase !== (isGoing ? "Terminating" : "Active")) found.invalid("status.Phase", phase, why);
    }),
};
