import {
  failureOf,
  isObject,
  type Json,
  type JsonObject,
  type KubeObject,
  listAt,
  textAt,
  valueAt,
} from "@boxship/api";
import { statusAt } from "../error-text.ts";
import { apiVersionOfMapping, collectionPathOf, type Mapping, objectPathOf } from "../resource/discovery.ts";
import type { Session } from "../session.ts";
import type { Query } from "./api.ts";

/** Where one object is. */
export interface ObjectPlace {
  readonly mapping: Mapping;
  readonly namespace: string;
  readonly name: string;
}

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: string;
  readonly subresource?: string;
  readonly force?: boolean;
}

const queryOf = ({ dryRun = false, fieldManager, fieldValidation, force }: WriteOptions): Query => ({
  dryRun: dryRun ? "All" : undefined,
  fieldManager,
  fieldValidation,
  force,
});

export const PATCH_TYPES = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
} as const;

export type PatchType = keyof typeof PATCH_TYPES;

export async function getObject(
  session: Session,
  { mapping, namespace, name }: ObjectPlace,
  subresource = "",
): Promise<KubeObject> {
  const api = await session.api();
  return (await api.call("GET", objectPathOf(mapping, namespace, name, subresource))) as KubeObject;
}

/** Undefined where there is none. */
export async function findObject(session: Session, place: ObjectPlace): Promise<KubeObject | undefined> {
  try {
    return await getObject(session, place);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export const isNotFound = (error: unknown): boolean => error instanceof Error && error.name === "NotFound";
export const isConflict = (error: unknown): boolean => error instanceof Error && error.name === "Conflict";

export interface ListQuery {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Objects an answer, 0 for all. @default 500 */
  readonly chunk?: number;
}

export async function listObjects(
  session: Session,
  mapping: Mapping,
  namespace: string,
  { labelSelector, fieldSelector, chunk = 500 }: ListQuery = {},
): Promise<readonly KubeObject[]> {
  const api = await session.api();
  const items: KubeObject[] = [];
  let next: string | undefined;
  do {
    const query = { labelSelector, fieldSelector, limit: chunk === 0 ? undefined : chunk, continue: next };
    const path = collectionPathOf(mapping, namespace);
    const answer = await listing(mapping, { labelSelector, fieldSelector }, () => api.call("GET", path, { query }));
    items.push(...itemsOf(answer, mapping));
    next = textAt(answer, "metadata", "continue") || undefined;
  } while (next !== undefined);
  return items;
}

/** Says in a refusal what was looked for. */
export async function listing(
  { resource, group, version }: Mapping,
  { labelSelector = "", fieldSelector = "" }: ListQuery,
  work: () => Promise<Json>,
): Promise<Json> {
  try {
    return await work();
  } catch (error) {
    const status = statusAt(error);
    if (status === undefined || (status.reason !== "BadRequest" && status.reason !== "NotFound")) throw error;
    const what = JSON.stringify(`${group === "" ? "/" : `${group}/`}${version}, Resource=${resource}`);
    const looked =
      labelSelector === "" && fieldSelector === ""
        ? `Unable to list ${what}`
        : `Unable to find ${what} that match label selector ${JSON.stringify(labelSelector)}, field selector ${JSON.stringify(fieldSelector)}`;
    throw failureOf({ ...status, message: `${looked}: ${status.message ?? ""}` });
  }
}

/** Items of a list, each with its type. */
export function itemsOf(list: Json, mapping: Mapping): readonly KubeObject[] {
  const type = { apiVersion: apiVersionOfMapping(mapping), kind: mapping.kind };
  return listAt(list, "items").map((item) => ({ ...type, ...(isObject(item) ? item : {}) }) as KubeObject);
}

export async function createObject(
  session: Session,
  { mapping, namespace }: Pick<ObjectPlace, "mapping" | "namespace">,
  object: JsonObject,
  options: WriteOptions = {},
): Promise<KubeObject> {
  const api = await session.api();
  const path = collectionPathOf(mapping, namespace);
  const body = valueAt(object, "metadata", "resourceVersion") === undefined ? object : unversioned(object);
  return (await api.call("POST", path, { body, query: queryOf(options) })) as KubeObject;
}

/** What was written to a file once is of no version when it is made again. */
function unversioned(object: JsonObject): JsonObject {
  const { resourceVersion: _, ...metadata } = object["metadata"] as JsonObject;
  return { ...object, metadata };
}

export async function replaceObject(
  session: Session,
  { mapping, namespace, name }: ObjectPlace,
  object: JsonObject,
  options: WriteOptions = {},
): Promise<KubeObject> {
  const api = await session.api();
  const path = objectPathOf(mapping, namespace, name, options.subresource);
  return (await api.call("PUT", path, { body: object, query: queryOf(options) })) as KubeObject;
}

export async function patchObject(
  session: Session,
  { mapping, namespace, name }: ObjectPlace,
  type: PatchType,
  patch: Json | string,
  options: WriteOptions = {},
): Promise<KubeObject> {
  const api = await session.api();
  const path = objectPathOf(mapping, namespace, name, options.subresource);
  const contentType = PATCH_TYPES[type];
  return (await api.call("PATCH", path, { body: patch, contentType, query: queryOf(options) })) as KubeObject;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: string;
  readonly dryRun?: boolean;
  /** It goes only if it is this one. @default whichever has the name */
  readonly uid?: string;
}

export async function deleteObject(
  session: Session,
  { mapping, namespace, name }: ObjectPlace,
  { gracePeriodSeconds, propagationPolicy, dryRun = false, uid }: DeleteOptions,
): Promise<Json> {
  const api = await session.api();
  const body: JsonObject = { kind: "DeleteOptions", apiVersion: "v1" };
  if (gracePeriodSeconds !== undefined) body["gracePeriodSeconds"] = gracePeriodSeconds;
  if (propagationPolicy !== undefined) body["propagationPolicy"] = propagationPolicy;
  if (dryRun) body["dryRun"] = ["All"];
  if (uid !== undefined) body["preconditions"] = { uid };
  return await api.call("DELETE", objectPathOf(mapping, namespace, name), { body });
}
