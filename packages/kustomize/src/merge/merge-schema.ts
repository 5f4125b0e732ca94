import { builtinKinds, type Schema } from "@boxship/api";

/** What merging needs to know of a field: what is below it, and by which keys its list is merged. */
export interface MergeSchema {
  field(name: string): MergeSchema | undefined;
  elements(): MergeSchema | undefined;
  /** Undefined: a patch replaces the list. Empty: by the values themselves. */
  readonly mergeKeys: readonly string[] | undefined;
}

/** Schemas of kinds by API version and kind. */
export interface MergeSchemas {
  ofKind(apiVersion: string, kind: string): MergeSchema | undefined;
}

/** Versions that clusters no longer serve and people still write: their lists are merged as those of the newer one. */
const RETIRED: ReadonlyMap<string, string> = new Map([
  ["batch/v1beta1", "batch/v1"],
  ["policy/v1beta1", "policy/v1"],
  ["networking.k8s.io/v1beta1", "networking.k8s.io/v1"],
  ["extensions/v1beta1", "networking.k8s.io/v1"],
  ["rbac.authorization.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1"],
  ["admissionregistration.k8s.io/v1beta1", "admissionregistration.k8s.io/v1"],
  ["autoscaling/v2beta1", "autoscaling/v2"],
  ["autoscaling/v2beta2", "autoscaling/v2"],
]);

/**
 * What Kubernetes 1.36 merges and the original, whose definitions are those of 1.21, replaces: kinds, and fields of
 * definitions that are younger.
 */
const UNKNOWN_KINDS = new Set([
  "admissionregistration.k8s.io/v1 MutatingAdmissionPolicy",
  "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy",
  "autoscaling/v2 HorizontalPodAutoscaler",
  "flowcontrol.apiserver.k8s.io/v1 FlowSchema",
  "flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration",
  "networking.k8s.io/v1 ServiceCIDR",
  "resource.k8s.io/v1 ResourceClaim",
]);
const UNKNOWN_FIELDS = new Set([
  "admissionregistration.v1.MutatingWebhook#matchConditions",
  "admissionregistration.v1.ValidatingWebhook#matchConditions",
  "core.v1.EphemeralContainer#ports",
  "core.v1.PodSpec#resourceClaims",
  "core.v1.PodSpec#schedulingGates",
  "core.v1.PodStatus#hostIPs",
  "core.v1.PodStatus#resourceClaimStatuses",
]);

let byKind: ReadonlyMap<string, { readonly schema: Schema }> | undefined;

/** Kubernetes' own kinds. */
export const builtinSchemas: MergeSchemas = {
  ofKind(apiVersion, kind) {
    byKind ??= new Map(
      builtinKinds().map((one) => [`${one.group === "" ? "" : `${one.group}/`}${one.version} ${one.kind}`, one]),
    );
    if (UNKNOWN_KINDS.has(`${apiVersion} ${kind}`)) return undefined;
    const found = byKind.get(`${RETIRED.get(apiVersion) ?? apiVersion} ${kind}`);
    return found && new BuiltinSchema(found.schema);
  },
};

class BuiltinSchema implements MergeSchema {
  readonly #schema: Schema;

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  field(name: string): MergeSchema | undefined {
    if (UNKNOWN_FIELDS.has(`${this.#schema.definition}#${name}`)) return undefined;
    const below = this.#schema.properties?.get(name) ?? this.#schema.additional;
    return below && new BuiltinSchema(below);
  }

  elements(): MergeSchema | undefined {
    const { items } = this.#schema;
    return items && new BuiltinSchema(items);
  }

  get mergeKeys(): readonly string[] | undefined {
    const { patchStrategy, patchMergeKey, listKeys } = this.#schema;
    if (patchStrategy?.has("merge") !== true) return undefined;
    return listKeys ?? (patchMergeKey === undefined ? [] : [patchMergeKey]);
  }
}
