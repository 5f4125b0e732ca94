import type { AdmissionPlugin } from "../contract.ts";

/** Kinds that are kept and that nothing acts on yet. */
const UNSERVED: Readonly<Record<string, string>> = {
  "flowcontrol.apiserver.k8s.io/flowschemas": "requests are not queued",
  "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations": "requests are not queued",
};

/** Says of objects that are kept without effect that they have none. */
export const unservedWarning: AdmissionPlugin = {
  name: "UnservedKinds",
  validate({ kind, operation, subresource, warn }) {
    const why = UNSERVED[`${kind.group}/${kind.resource}`];
    if (why === undefined || subresource !== "" || (operation !== "CREATE" && operation !== "UPDATE")) return;
    warn(`this server keeps ${kind.kind} objects without effect: ${why}`);
  },
};

/** What is kept without effect, by group and plural, with the reason. */
export const unservedKinds = UNSERVED;
