import { isObject } from "../object/json.ts";
import type { KubeObject } from "../object/kube-object.ts";
import type { Schema } from "../schema/schema.ts";
import { FieldSet } from "./field-set.ts";
import { fieldsOf } from "./fields-of.ts";
import { manageable } from "./manageable.ts";
import type { Manager } from "./managers.ts";
import { removeFields } from "./remove-fields.ts";
import type { InVersion } from "./versioned-changes.ts";

/** An object without the fields of a set, except for those that are to be kept. */
export function prune(schema: Schema, merged: KubeObject, gone: FieldSet, kept: FieldSet): KubeObject {
  const left = removeFields(schema, manageable(merged), gone, kept);
  const rest = isObject(left) ? left : {};
  const { metadata: managed } = rest;
  const own = { ...merged.metadata };
  for (const field of ["annotations", "finalizers", "labels", "ownerReferences"] as const) delete own[field];
  const { apiVersion, kind: name } = merged;
  return { ...rest, apiVersion, kind: name, metadata: { ...own, ...(isObject(managed) ? managed : {}) } };
}

/**
 * The same where managers have applied in several versions: what the applier had is taken away in the version that it
 * had it in, and what is somebody's is put back in the version that it is theirs in.
 */
export async function pruneAcrossVersions(
  merged: KubeObject,
  before: Manager,
  managers: readonly Manager[],
  apiVersion: string,
  inVersion: InVersion,
): Promise<KubeObject> {
  const old = await inVersion(merged, before.apiVersion);
  if (old === undefined) return merged;
  let pruned = prune(old.schema, old.object, before.fields, new FieldSet());
  for (const [version, own] of Map.groupBy(managers, (one) => one.apiVersion)) {
    const whole = await inVersion(merged, version);
    const left = await inVersion(pruned, version);
    if (whole === undefined || left === undefined) continue;
    const kept = own.reduce((all, { fields }) => all.union(fields), new FieldSet());
    const gone = fieldsOf(whole.schema, manageable(whole.object)).difference(
      fieldsOf(left.schema, manageable(left.object)),
    );
    pruned = prune(whole.schema, whole.object, gone.difference(kept), kept);
  }
  return (await inVersion(pruned, apiVersion))?.object ?? merged;
}
