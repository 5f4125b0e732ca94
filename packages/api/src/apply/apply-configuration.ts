import type { Kind } from "../kind/kind.ts";
import { deepEqual, isObject } from "../object/json.ts";
import type { KubeObject } from "../object/kube-object.ts";
import { failure } from "../status/failures.ts";
import type { StatusCause } from "../status/status.ts";
import { compareFields } from "./compare-fields.ts";
import { FieldSet } from "./field-set.ts";
import { fieldsOf } from "./fields-of.ts";
import { isSameManager, type Manager, type ManagerKey, readManagers, writeManagers } from "./managers.ts";
import { mergeTyped } from "./merge-typed.ts";
import { removeFields } from "./remove-fields.ts";
import { manageable, setManagedFields } from "./track-changes.ts";

export interface ApplyRequest {
  readonly kind: Kind;
  /** Undefined where it is to be made. */
  readonly live: KubeObject | undefined;
  /** What the applier wants the fields that it cares for to be. */
  readonly configuration: KubeObject;
  readonly who: ManagerKey;
  readonly time: string;
  /** Takes fields from other managers. */
  readonly force: boolean;
}

/**
 * Server-side apply: puts the configuration over the object, takes away what the applier had applied before and no
 * longer does, and notes who manages what.
 *
 * @returns a new object
 * @throws Conflict where other managers have set fields to other values
 */
export function applyConfiguration(request: ApplyRequest): KubeObject {
  const { kind, live, configuration, who, time, force } = request;
  const managers = readManagers(live?.metadata.managedFields);
  const before = managers.find((one) => isSameManager(one, who));
  const others = managers.filter((one) => !isSameManager(one, who));
  const applied = fieldsOf(kind.schema, manageable(configuration));
  const merged = mergeTyped(kind.schema, live, configuration) as KubeObject;
  const gone = before?.fields.difference(applied) ?? new FieldSet();
  const kept = others.reduce((all, { fields }) => all.union(fields), applied);
  const pruned = gone.isEmpty ? merged : prune(kind, merged, gone, kept);
  const { set, removed } = compareFields(kind.schema, live === undefined ? {} : manageable(live), manageable(pruned), {
    builtin: !kind.custom,
  });
  const left = settle(others, set, force).map((one) => ({ ...one, fields: one.fields.difference(removed) }));
  const unchanged =
    before !== undefined && set.isEmpty && removed.isEmpty && deepEqual(before.fields.toJson(), applied.toJson());
  const mine: Manager = { ...who, time: unchanged ? before.time : time, fields: applied };
  setManagedFields(pruned, writeManagers([...left, mine]));
  return pruned;
}

function prune(kind: Kind, merged: KubeObject, gone: FieldSet, kept: FieldSet): KubeObject {
  const left = removeFields(kind.schema, manageable(merged), gone, kept);
  const rest = isObject(left) ? left : {};
  const { metadata: managed } = rest;
  const own = { ...merged.metadata };
  for (const field of ["annotations", "finalizers", "labels", "ownerReferences"] as const) delete own[field];
  const { apiVersion, kind: name } = merged;
  return { ...rest, apiVersion, kind: name, metadata: { ...own, ...(isObject(managed) ? managed : {}) } };
}

/** Takes fields that change from their managers, or refuses. */
function settle(others: readonly Manager[], changed: FieldSet, force: boolean): readonly Manager[] {
  const conflicts = others.flatMap((manager) => {
    const fields = manager.fields.intersection(changed);
    return fields.isEmpty ? [] : [{ manager, fields }];
  });
  if (conflicts.length === 0) return others;
  if (!force) throw conflictOf(conflicts);
  return others.map((one) => ({ ...one, fields: one.fields.difference(changed) }));
}

function conflictOf(conflicts: readonly { readonly manager: Manager; readonly fields: FieldSet }[]): Error {
  const causes = conflicts.flatMap(({ manager, fields }) =>
    [...fields.paths()].map(
      (field): StatusCause => ({
        reason: "FieldManagerConflict",
        message: `conflict with ${describe(manager)}`,
        field,
      }),
    ),
  );
  const texts = conflicts.map(({ manager, fields }) => {
    const paths = [...fields.paths()];
    return paths.length === 1
      ? `conflict with ${describe(manager)}: ${paths[0]}`
      : `conflicts with ${describe(manager)}:\n${paths.map((path) => `- ${path}`).join("\n")}`;
  });
  const count = causes.length === 1 ? "1 conflict" : `${causes.length} conflicts`;
  const list = texts.join("\n");
  return failure("Conflict", `Apply failed with ${count}: ${list}`, { causes });
}

function describe({ name, operation, apiVersion, subresource }: Manager): string {
  const by = operation === "Update" ? ` using ${apiVersion}` : "";
  const on = subresource === "" ? "" : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(name)}${on}${by}`;
}
