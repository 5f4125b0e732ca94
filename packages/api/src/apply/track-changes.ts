import { emptyObject } from "../defaults/empty-object.ts";
import type { Kind } from "../kind/kind.ts";
import type { JsonObject } from "../object/json.ts";
import type { KubeObject, ManagedFieldsEntry } from "../object/kube-object.ts";
import { capUpdaters } from "./cap-updaters.ts";
import { compareFields } from "./compare-fields.ts";
import { FieldSet } from "./field-set.ts";
import { manageable } from "./manageable.ts";
import {
  isReset,
  isSameManager,
  isWhole,
  type Manager,
  type ManagerKey,
  readManagers,
  writeManagers,
} from "./managers.ts";
import { type InVersion, VersionedChanges } from "./versioned-changes.ts";

export interface TrackOptions {
  /** How managers of other versions see objects. @default as those of this one */
  readonly inVersion?: InVersion | undefined;
  /** Is called between the steps of it, which take long for large objects. @default they are done in one turn */
  readonly pause?: (() => Promise<void> | undefined) | undefined;
}

/**
 * Notes that a manager has made an object out of an old one, in the object's managedFields. An object that has been
 * without managers stays so until somebody applies.
 */
export async function trackChanges(
  kind: Pick<Kind, "custom" | "group" | "schema" | "version">,
  object: KubeObject,
  old: KubeObject | undefined,
  who: ManagerKey,
  time: string,
  { inVersion, pause }: TrackOptions = {},
): Promise<void> {
  const entries = managedFieldsOf(object, old, who.subresource);
  if (old !== undefined && (entries ?? []).length === 0) {
    setManagedFields(object, []);
    return;
  }
  const before = old === undefined ? emptyOf(kind) : manageable(old);
  const { set, removed } = compareFields(kind.schema, before, manageable(object), {
    builtin: !kind.custom,
  });
  if (set.isEmpty && removed.isEmpty) {
    setManagedFields(object, entries ?? []);
    return;
  }
  await pause?.();
  const managers = readManagers(entries);
  await pause?.();
  const changes = new VersionedChanges(kind, old, object, { set, removed }, inVersion);
  const others: Manager[] = [];
  for (const one of managers) {
    if (isSameManager(one, who)) continue;
    const theirs = await changes.in(one.apiVersion);
    if (theirs !== undefined)
      others.push({ ...one, fields: one.fields.difference(theirs.set).difference(theirs.removed) });
    await pause?.();
  }
  const own = managers.find((one) => isSameManager(one, who));
  const fields = (own?.fields.difference(removed) ?? new FieldSet()).union(set);
  await pause?.();
  setManagedFields(object, writeManagers(capUpdaters([...others, { ...who, time, fields }])));
}

/** What a new object has before anybody has set anything. */
export const emptyOf = ({ custom, schema }: Pick<Kind, "custom" | "schema">): JsonObject =>
  custom ? {} : emptyObject(schema);

/**
 * Managers are those of the old object, unless the new one says others or clears them; by a subresource nobody can. Who
 * sends entries that are not whole does not understand them.
 */
function managedFieldsOf(
  { metadata }: KubeObject,
  old: KubeObject | undefined,
  subresource: string,
): readonly ManagedFieldsEntry[] | undefined {
  const { managedFields: sent } = metadata;
  const kept = old?.metadata.managedFields;
  if (sent === undefined || subresource !== "") return kept;
  if (isReset(sent)) return [];
  return isWhole(sent) ? sent : kept;
}

export function setManagedFields({ metadata }: KubeObject, entries: readonly ManagedFieldsEntry[]): void {
  if (entries.length === 0) delete metadata.managedFields;
  else metadata.managedFields = [...entries];
}
