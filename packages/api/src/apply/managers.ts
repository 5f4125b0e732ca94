import type { ManagedFieldsEntry } from "../object/kube-object.ts";
import { FieldSet } from "./field-set.ts";

/** Who manages which fields, in which way: an entry of `metadata.managedFields`. */
export interface Manager {
  readonly name: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string;
  readonly fields: FieldSet;
}

export type ManagerKey = Pick<Manager, "name" | "operation" | "apiVersion" | "subresource">;

export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Manager[] {
  return (entries ?? []).map(({ manager = "", operation, apiVersion = "", subresource = "", time = "", fieldsV1 }) => ({
    name: manager,
    operation: operation === "Apply" ? "Apply" : "Update",
    apiVersion,
    subresource,
    time,
    fields: FieldSet.fromJson(fieldsV1),
  }));
}

/** Entries that somebody sends to have no managers at all: none, or one that says nothing. */
export function isReset(entries: readonly ManagedFieldsEntry[] | undefined): boolean {
  const [first, ...more] = entries ?? [];
  if (entries === undefined || more.length > 0) return false;
  return Object.values(first ?? {}).every((value) => value === undefined || value === null || value === "");
}

/** Whether each entry says all that an entry must. */
export function isWhole(entries: readonly ManagedFieldsEntry[]): boolean {
  return entries.every(
    ({ operation, apiVersion, fieldsType }) =>
      (operation === "Apply" || operation === "Update") && (apiVersion ?? "") !== "" && fieldsType === "FieldsV1",
  );
}

/** Appliers first, then by time and name; managers of nothing are left out. */
export function writeManagers(managers: readonly Manager[]): ManagedFieldsEntry[] {
  const order = (a: Manager, b: Manager): number =>
    compare(a.operation, b.operation) || compare(a.time, b.time) || compare(a.name, b.name);
  return managers
    .filter(({ fields }) => !fields.isEmpty)
    .toSorted(order)
    .map(({ name, operation, apiVersion, subresource, time, fields }) => ({
      apiVersion,
      fieldsType: "FieldsV1",
      fieldsV1: fields.toJson(),
      manager: name,
      operation,
      ...(subresource === "" ? {} : { subresource }),
      ...(time === "" ? {} : { time }),
    }));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Appliers are the same whatever version they apply in. */
export function isSameManager(one: ManagerKey, other: ManagerKey): boolean {
  return (
    one.name === other.name &&
    one.operation === other.operation &&
    one.subresource === other.subresource &&
    (one.operation === "Apply" || one.apiVersion === other.apiVersion)
  );
}
