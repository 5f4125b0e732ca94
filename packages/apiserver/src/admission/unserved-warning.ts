import { type Json, listAt } from "@boxship/api";
import type { AdmissionPlugin } from "../contract.ts";

/** Kinds that are kept and that nothing acts on yet. */
const UNSERVED: Readonly<Record<string, string>> = {
  "admissionregistration.k8s.io/mutatingadmissionpolicies": "policies are not evaluated",
  "admissionregistration.k8s.io/validatingadmissionpolicies": "policies are not evaluated",
  "apiregistration.k8s.io/apiservices": "other API servers are not asked",
  "flowcontrol.apiserver.k8s.io/flowschemas": "requests are not queued",
  "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations": "requests are not queued",
};

/** Says of objects that are kept without effect that they have none. */
export const unservedWarning: AdmissionPlugin = {
  name: "UnservedKinds",
  validate({ kind, object, operation, subresource, warn }) {
    if (
      kind.resource.endsWith("webhookconfigurations") &&
      listAt(object ?? undefined, "webhooks").some(hasConditions)
    ) {
      warn("matchConditions are kept and not evaluated: the webhook is asked about all else that it matches");
    }
    const why = UNSERVED[`${kind.group}/${kind.resource}`];
    if (why === undefined || subresource !== "" || (operation !== "CREATE" && operation !== "UPDATE")) return;
    warn(`this server keeps ${kind.kind} objects without effect: ${why}`);
  },
};

const hasConditions = (webhook: Json): boolean => listAt(webhook, "matchConditions").length > 0;

/** What is kept without effect, by group and plural, with the reason. */
export const unservedKinds = UNSERVED;
