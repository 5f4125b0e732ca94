import type { Kind } from "../kind/kind.ts";
import { deepEqual, type JsonObject } from "../object/json.ts";
import { apiVersionOf, type KubeObject } from "../object/kube-object.ts";
import { failure } from "../status/failures.ts";
import type { StatusCause } from "../status/status.ts";
import { compareFields } from "./compare-fields.ts";
import { FieldSet } from "./field-set.ts";
import { fieldsOf } from "./fields-of.ts";
import { keepLastApplied, lastAppliedFields } from "./last-applied.ts";
import { manageable } from "./manageable.ts";
import { isSameManager, type Manager, type ManagerKey, readManagers, writeManagers } from "./managers.ts";
import { mergeTyped } from "./merge-typed.ts";
import { prune, pruneAcrossVersions } from "./prune.ts";
import { emptyOf, setManagedFields } from "./track-changes.ts";
import { type InVersion, VersionedChanges } from "./versioned-changes.ts";

export interface ApplyRequest {
  readonly kind: AppliedKind;
  /** Undefined where it is to be made. */
  readonly live: KubeObject | undefined;
  /** What the applier wants the fields that it cares for to be. */
  readonly configuration: KubeObject;
  /** The configuration as it was sent. @default configuration */
  readonly sent?: JsonObject;
  readonly who: ManagerKey;
  readonly time: string;
  /** Takes fields from other managers. */
  readonly force: boolean;
  /** How managers of other versions see objects. @default as those of this one */
  readonly inVersion?: InVersion;
  /** Is called between the steps of it, which take long for large objects. @default they are done in one turn */
  readonly pause?: (() => Promise<void> | undefined) | undefined;
}

/** Of a kind, what applying it takes. */
export type AppliedKind = Pick<Kind, "custom" | "group" | "schema" | "version">;

/** What objects that nobody managed had when they were applied first. */
const BEFORE = "before-first-apply";
/** Fields that its own apply has set are handed over to it, and it keeps that apply's notes. */
const KUBECTL = "kubectl";

/**
 * Server-side apply: puts the configuration over the object, takes away what the applier had applied before and no
 * longer does, and notes who manages what.
 *
 * @returns a new object
 * @throws Conflict where other managers have set fields to other values
 */
export async function applyConfiguration(request: ApplyRequest): Promise<KubeObject> {
  const { kind, live, configuration, who, time, force, inVersion, pause } = request;
  const managers = managersOf(request);
  await pause?.();
  const before = managers.find((one) => isSameManager(one, who));
  const others = managers.filter((one) => !isSameManager(one, who));
  const applied = fieldsOf(kind.schema, manageable(configuration));
  await pause?.();
  const merged = mergeTyped(kind.schema, live, configuration) as KubeObject;
  await pause?.();
  const mine: Manager = { ...who, time, fields: applied };
  const pruned = await pruneMerged(request, merged, before, [...others, mine]);
  await pause?.();
  const own = compareFields(kind.schema, live === undefined ? {} : manageable(live), manageable(pruned), {
    builtin: !kind.custom,
  });
  const changes = new VersionedChanges(kind, live, pruned, own, inVersion);
  await pause?.();
  const allowed = (): FieldSet =>
    who.name === KUBECTL && live !== undefined ? lastAppliedFields(kind, live) : new FieldSet();
  const left = (await settle(others, changes, force ? undefined : allowed)).filter(({ fields }) => !fields.isEmpty);
  await pause?.();
  const unchanged =
    before !== undefined &&
    before.apiVersion === who.apiVersion &&
    own.set.isEmpty &&
    own.removed.isEmpty &&
    deepEqual(before.fields.toJson(), applied.toJson());
  await pause?.();
  setManagedFields(pruned, writeManagers([...left, { ...mine, time: unchanged ? before.time : time }]));
  if (who.name === KUBECTL) keepLastApplied(pruned, request.sent ?? configuration);
  return pruned;
}

/** Those of the object; where it has none, one that has all that is there. */
function managersOf({ kind, live, who, time }: ApplyRequest): readonly Manager[] {
  if (live === undefined) return [];
  const managers = readManagers(live.metadata.managedFields);
  if (managers.length > 0) return managers;
  const { set: fields } = compareFields(kind.schema, emptyOf(kind), manageable(live), { builtin: !kind.custom });
  return fields.isEmpty ? [] : [{ ...who, name: BEFORE, operation: "Update", time, fields }];
}

/** Takes away what the applier had applied before and nobody has any more. */
async function pruneMerged(
  { kind, who, inVersion }: ApplyRequest,
  merged: KubeObject,
  before: Manager | undefined,
  managers: readonly Manager[],
): Promise<KubeObject> {
  if (before === undefined) return merged;
  if (inVersion !== undefined && [before, ...managers].some((one) => one.apiVersion !== who.apiVersion))
    return await pruneAcrossVersions(merged, before, managers, apiVersionOf(kind), inVersion);
  const applied = managers.at(-1)?.fields ?? new FieldSet();
  const gone = before.fields.difference(applied);
  const kept = managers.reduce((all, { fields }) => all.union(fields), new FieldSet());
  return gone.isEmpty ? merged : prune(kind.schema, merged, gone, kept);
}

/**
 * Takes fields that change from their managers, or refuses.
 *
 * @param allowed what may be taken, undefined for everything
 */
async function settle(
  others: readonly Manager[],
  changes: VersionedChanges,
  allowed: (() => FieldSet) | undefined,
): Promise<readonly Manager[]> {
  const left: Manager[] = [];
  const conflicts: { readonly manager: Manager; readonly fields: FieldSet }[] = [];
  for (const manager of others) {
    const theirs = await changes.in(manager.apiVersion);
    if (theirs === undefined) continue;
    const fields = manager.fields.intersection(theirs.set);
    if (!fields.isEmpty) conflicts.push({ manager, fields });
    left.push({ ...manager, fields: manager.fields.difference(theirs.set).difference(theirs.removed) });
  }
  if (conflicts.length === 0 || allowed === undefined) return left;
  const free = allowed();
  const refused = conflicts
    .map(({ manager, fields }) => ({ manager, fields: fields.difference(free) }))
    .filter(({ fields }) => !fields.isEmpty);
  if (refused.length > 0) throw conflictOf(refused);
  return left;
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
