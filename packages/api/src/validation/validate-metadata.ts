import type { Kind } from "../kind/kind.ts";
import { deepEqual, type Json } from "../object/json.ts";
import { type KubeObject, type ObjectMeta, parseApiVersion, textAt } from "../object/kube-object.ts";
import { type FieldError, forbiddenField, invalid, MOST_TOLD, required, tooLong } from "../status/field-error.ts";
import { canonicalAddressName } from "./addresses.ts";
import { checkName, dnsLabel, dnsSubdomain, labelValue, type NameRule, pathSegment, qualifiedName } from "./names.ts";

/** Bytes of all annotations of an object. */
const ANNOTATION_BYTES = 256 * 1024;

const NAME_RULES: Readonly<Record<string, NameRule>> = {
  namespaces: dnsLabel,
  services: dnsLabel,
  statefulsets: dnsLabel,
  apiservices: pathSegment,
  roles: pathSegment,
  clusterroles: pathSegment,
  rolebindings: pathSegment,
  clusterrolebindings: pathSegment,
  ipaddresses: canonicalAddressName,
};

/** `metadata` of a new or changed object. @param old undefined for a new one: names of others stay as they are */
export function validateMetadata(
  kind: Pick<Kind, "custom" | "group" | "namespaced" | "resource">,
  { metadata }: KubeObject,
  old?: KubeObject,
): FieldError[] {
  const errors: FieldError[] = [];
  const rule = (!kind.custom && NAME_RULES[kind.resource]) || dnsSubdomain;
  if (old === undefined && metadata.generateName) {
    const { generateName } = metadata;
    for (const problem of rule(asName(generateName)))
      errors.push(invalid("metadata.generateName", generateName, problem));
  }
  if (!metadata.name) errors.push(required("metadata.name", "name or generateName is required"));
  else if (old === undefined) errors.push(...checkName(rule, "metadata.name", metadata.name));
  if (kind.namespaced) {
    if (!metadata.namespace) errors.push(required("metadata.namespace"));
    else errors.push(...checkName(dnsLabel, "metadata.namespace", metadata.namespace));
  }
  errors.push(...validateLabels(metadata.labels, "metadata.labels"));
  errors.push(...validateAnnotations(metadata.annotations, "metadata.annotations"));
  errors.push(
    ...validateOwners(metadata),
    ...validateFinalizers(metadata, !kind.custom && !LOOSE_GROUPS.has(kind.group)),
  );
  return errors;
}

/** A beginning of names as if it were one: a hyphen at its end is not at the end of the name. */
const asName = (prefix: string): string =>
  prefix.length > 1 && prefix.endsWith("-") ? `${prefix.slice(0, -2)}a` : prefix;

export function validateLabels(labels: Json | undefined, field: string): FieldError[] {
  if (typeof labels !== "object" || labels === null) return [];
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels)) {
    for (const problem of qualifiedName(key)) errors.push(invalid(field, key, problem));
    for (const problem of labelValue(textAt(value))) errors.push(invalid(field, value, problem));
    if (errors.length > MOST_TOLD) break;
  }
  return errors;
}

export function validateAnnotations(annotations: Json | undefined, field: string): FieldError[] {
  if (typeof annotations !== "object" || annotations === null) return [];
  let size = 0;
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(annotations)) {
    size += Buffer.byteLength(key) + Buffer.byteLength(textAt(value));
    if (errors.length > MOST_TOLD) continue;
    for (const problem of qualifiedName(key.toLowerCase())) errors.push(invalid(field, key, problem));
  }
  if (size > ANNOTATION_BYTES) errors.push(tooLong(field, ANNOTATION_BYTES));
  return errors;
}

function validateOwners({ ownerReferences = [] }: ObjectMeta): FieldError[] {
  const at = "metadata.ownerReferences";
  const errors: FieldError[] = [];
  let controller = "";
  for (const owner of ownerReferences) {
    const version = parseApiVersion(owner.apiVersion ?? "");
    if (version === undefined)
      errors.push(invalid(`${at}.apiVersion`, owner.apiVersion ?? "", "version must not be empty"));
    for (const field of ["kind", "name", "uid"] as const) {
      if (!owner[field]) errors.push(invalid(`${at}.${field}`, owner[field] ?? "", "must not be empty"));
    }
    if (owner.apiVersion === "v1" && owner.kind === "Event")
      errors.push(invalid(at, owner, "/v1, Kind=Event is disallowed from being an owner"));
    if (!owner.controller) continue;
    const name = `${owner.kind}/${owner.name}`;
    if (controller === "") controller = name;
    else {
      const why = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`;
      errors.push(invalid(at, ownerReferences, why));
    }
  }
  return errors;
}

/** Of kinds in these, finalizers need not be qualified. */
const LOOSE_GROUPS = new Set([
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "apiregistration.k8s.io",
  "coordination.k8s.io",
  "node.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
]);

const STANDARD_FINALIZERS = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

/** A finalizer is qualified, or one of Kubernetes' own. */
export function validateFinalizer(name: string, field: string, qualifiedAt = field): readonly FieldError[] {
  const errors = [...checkName(qualifiedName, field, name)];
  if (!name.includes("/") && !STANDARD_FINALIZERS.has(name))
    errors.push(invalid(qualifiedAt, name, "name is neither a standard finalizer name nor is it fully qualified"));
  return errors;
}

/** @param own whether the kind is the server's: others may have finalizers that are not qualified */
function validateFinalizers({ finalizers = [] }: ObjectMeta, own: boolean): FieldError[] {
  const at = "metadata.finalizers";
  const errors = finalizers.flatMap((name, index) =>
    own ? validateFinalizer(name, at, `${at}[${index}]`) : checkName(qualifiedName, at, name),
  );
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion"))
    errors.push(invalid(at, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"));
  return errors;
}

/** What an update may not do to `metadata`. */
export function validateMetadataUpdate({ metadata }: KubeObject, old: KubeObject): FieldError[] {
  if (old.metadata.deletionTimestamp === undefined) return [];
  const before = new Set(old.metadata.finalizers);
  const added = [...new Set(metadata.finalizers)].filter((name) => !before.has(name)).toSorted();
  if (added.length === 0) return [];
  return [
    forbiddenField(
      "metadata.finalizers",
      `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(", ")}}`,
    ),
  ];
}

/** A field that stays as it was. */
export function immutable(field: string, now: Json | undefined, before: Json | undefined): readonly FieldError[] {
  return deepEqual(now ?? null, before ?? null) ? [] : [invalid(field, now, "field is immutable")];
}
