import type { Kind } from "../kind/kind.ts";
import { deepEqual, type Json } from "../object/json.ts";
import { type KubeObject, type ObjectMeta, parseApiVersion, textAt } from "../object/kube-object.ts";
import { duplicate, type FieldError, forbiddenField, invalid, required, tooLong } from "../status/field-error.ts";
import {
  checkName,
  dns1035Label,
  dnsLabel,
  dnsSubdomain,
  labelValue,
  type NameRule,
  pathSegment,
  qualifiedName,
} from "./names.ts";

/** Bytes of all annotations of an object. */
const ANNOTATION_BYTES = 256 * 1024;

const NAME_RULES: Readonly<Record<string, NameRule>> = {
  namespaces: dnsLabel,
  services: dns1035Label,
  apiservices: pathSegment,
  roles: pathSegment,
  clusterroles: pathSegment,
  rolebindings: pathSegment,
  clusterrolebindings: pathSegment,
  ipaddresses: () => [],
};

/** `metadata` of a new or changed object. */
export function validateMetadata(kind: Kind, { metadata }: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const rule = (!kind.custom && NAME_RULES[kind.resource]) || dnsSubdomain;
  if (metadata.generateName) {
    const asName = metadata.generateName.replace(/[-.]+$/, "");
    errors.push(...checkName(rule, "metadata.generateName", asName === "" ? "a" : asName));
  }
  if (!metadata.name) errors.push(required("metadata.name", "name or generateName is required"));
  else errors.push(...checkName(rule, "metadata.name", metadata.name));
  if (kind.namespaced) {
    if (!metadata.namespace) errors.push(required("metadata.namespace"));
    else errors.push(...checkName(dnsLabel, "metadata.namespace", metadata.namespace));
  }
  errors.push(...validateLabels(metadata.labels, "metadata.labels"));
  errors.push(...validateAnnotations(metadata.annotations, "metadata.annotations"));
  errors.push(...validateOwners(metadata), ...validateFinalizers(metadata));
  return errors;
}

export function validateLabels(labels: Json | undefined, field: string): FieldError[] {
  if (typeof labels !== "object" || labels === null) return [];
  return Object.entries(labels).flatMap(([key, value]) => [
    ...qualifiedName(key).map((problem) => invalid(field, key, problem)),
    ...labelValue(textAt(value)).map((problem) => invalid(field, value, problem)),
  ]);
}

export function validateAnnotations(annotations: Json | undefined, field: string): FieldError[] {
  if (typeof annotations !== "object" || annotations === null) return [];
  let size = 0;
  const errors = Object.entries(annotations).flatMap(([key, value]) => {
    size += Buffer.byteLength(key) + Buffer.byteLength(textAt(value));
    return qualifiedName(key.toLowerCase()).map((problem) => invalid(field, key, problem));
  });
  if (size > ANNOTATION_BYTES) errors.push(tooLong(field, ANNOTATION_BYTES));
  return errors;
}

function validateOwners({ ownerReferences = [] }: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  let controller = "";
  for (const [index, owner] of ownerReferences.entries()) {
    const at = `metadata.ownerReferences[${index}]`;
    if (parseApiVersion(owner.apiVersion ?? "")?.version === undefined) {
      errors.push(invalid(`${at}.apiVersion`, owner.apiVersion, "version must not be empty"));
    }
    for (const field of ["kind", "name", "uid"] as const) {
      if (!owner[field]) errors.push(invalid(`${at}.${field}`, owner[field] ?? "", "must not be empty"));
    }
    if (owner.uid && seen.has(owner.uid)) errors.push(duplicate(`${at}.uid`, owner.uid));
    seen.add(owner.uid);
    if (!owner.controller) continue;
    if (controller !== "") {
      errors.push(
        invalid(
          "metadata.ownerReferences",
          ownerReferences,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.name}`,
        ),
      );
    }
    controller = owner.name;
  }
  return errors;
}

function validateFinalizers({ finalizers = [] }: ObjectMeta): FieldError[] {
  const errors = finalizers.flatMap((name, index) => [
    ...checkName(qualifiedName, `metadata.finalizers[${index}]`, name),
  ]);
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    errors.push(
      invalid("metadata.finalizers", finalizers, "finalizers orphan and foregroundDeletion cannot be both set"),
    );
  }
  return errors;
}

/** What an update may not do to `metadata`. */
export function validateMetadataUpdate({ metadata }: KubeObject, old: KubeObject): FieldError[] {
  if (old.metadata.deletionTimestamp === undefined) return [];
  const before = new Set(old.metadata.finalizers);
  const added = (metadata.finalizers ?? []).filter((name) => !before.has(name));
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
