import type { Kind } from "../kind/kind.ts";
import type { JsonObject } from "../object/json.ts";
import { type KubeObject, type ManagedFieldsEntry, type ObjectMeta } from "../object/kube-object.ts";
import { compareFields } from "./compare-fields.ts";
import { FieldSet } from "./field-set.ts";
import { isSameManager, type Manager, type ManagerKey, readManagers, writeManagers } from "./managers.ts";

/** Metadata that nobody manages. */
const SERVERS_OWN = [
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "managedFields",
  "name",
  "namespace",
  "resourceVersion",
  "selfLink",
  "uid",
] as const;

/** What an object has that somebody can manage. */
export function manageable(object: KubeObject): JsonObject {
  const { apiVersion: _, kind: __, metadata, ...rest } = object;
  const own: ObjectMeta = { ...metadata };
  for (const field of SERVERS_OWN) delete own[field];
  return Object.keys(own).length === 0 ? rest : { metadata: own, ...rest };
}

/** Notes that a manager has made an object out of an old one, in the object's managedFields. */
export function trackChanges(
  kind: Kind,
  object: KubeObject,
  old: KubeObject | undefined,
  who: ManagerKey,
  time: string,
): void {
  const entries = managedFieldsOf(object, old);
  const { set, removed } = compareFields(kind.schema, old === undefined ? {} : manageable(old), manageable(object), {
    builtin: !kind.custom,
  });
  if (set.isEmpty && removed.isEmpty) {
    setManagedFields(object, entries ?? []);
    return;
  }
  const managers = readManagers(entries);
  const others = managers
    .filter((one) => !isSameManager(one, who))
    .map((one) => withFields(one, one.fields.difference(set).difference(removed)));
  const before = managers.find((one) => isSameManager(one, who));
  const fields = (before?.fields.difference(removed) ?? empty()).union(set);
  setManagedFields(object, writeManagers([...others, { ...who, time, fields }]));
}

/** Managers are taken from the old object, unless the new one clears them. */
function managedFieldsOf(
  { metadata }: KubeObject,
  old: KubeObject | undefined,
): readonly ManagedFieldsEntry[] | undefined {
  const { managedFields } = metadata;
  if (managedFields?.every((one) => one.operation === undefined)) return [];
  return managedFields ?? old?.metadata.managedFields;
}

const withFields = (manager: Manager, fields: FieldSet): Manager => ({ ...manager, fields });

const empty = (): FieldSet => new FieldSet();

export function setManagedFields({ metadata }: KubeObject, entries: readonly ManagedFieldsEntry[]): void {
  if (entries.length === 0) delete metadata.managedFields;
  else metadata.managedFields = [...entries];
}
