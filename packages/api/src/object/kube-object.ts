import { isBigInteger } from "./big-integer.ts";
import { isObject, type Json, type JsonObject } from "./json.ts";

/** What every stored object has: its type, its metadata, and fields that its kind's schema describes. */
export interface KubeObject extends JsonObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

/** `meta/v1.ObjectMeta`. Times are RFC 3339 in whole seconds, UTC. */
export interface ObjectMeta extends JsonObject {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: { [key: string]: string };
  annotations?: { [key: string]: string };
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFieldsEntry[];
}

export interface OwnerReference extends JsonObject {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Who has set which fields by which way, `meta/v1.ManagedFieldsEntry`. */
export interface ManagedFieldsEntry extends JsonObject {
  manager?: string;
  operation?: "Apply" | "Update";
  apiVersion?: string;
  time?: string;
  fieldsType?: "FieldsV1";
  fieldsV1?: JsonObject;
  subresource?: string;
}

/** Group and version in one word, as `apiVersion` has them. */
export interface GroupVersion {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
}

export function apiVersionOf({ group, version }: GroupVersion): string {
  return group === "" ? version : `${group}/${version}`;
}

/** `apps/v1`, `v1`; undefined for what is neither. */
export function parseApiVersion(text: string): GroupVersion | undefined {
  const parts = text.split("/");
  if (parts.length === 1 && parts[0] !== "") return { group: "", version: text };
  const [group, version] = parts;
  return parts.length === 2 && group && version ? { group, version } : undefined;
}

/** The value at a path of fields, undefined where there is none. */
export function valueAt(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let here = value;
  for (const field of path) {
    if (!isObject(here) || !Object.hasOwn(here, field)) return undefined;
    here = here[field];
  }
  return here;
}

/** A scalar at a path as text; empty where there is none. */
export function textAt(value: Json | undefined, ...path: readonly string[]): string {
  const found = valueAt(value, ...path);
  if (isBigInteger(found)) return String(found);
  return found === undefined || found === null || typeof found === "object" ? "" : String(found);
}

/** The items of a list at a path; none where there is no list. */
export function listAt(value: Json | undefined, ...path: readonly string[]): readonly Json[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** RFC 3339 in whole seconds, as the API writes times. */
export function timestamp(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
