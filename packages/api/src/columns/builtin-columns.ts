import type { Column } from "../kind/kind.ts";
import { ageOf } from "./age.ts";

export const NAME: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name must be unique within a namespace.",
  priority: 0,
  cell: ({ metadata }) => metadata.name ?? "",
};

export const AGE: Column = {
  name: "Age",
  type: "string",
  description: "CreationTimestamp is the time at which the object was created.",
  priority: 0,
  cell: ageOf,
};

const CREATED_AT: Column = {
  name: "Created At",
  type: "date",
  description: "CreationTimestamp is the time at which the object was created.",
  priority: 0,
  cell: ({ metadata }) => metadata.creationTimestamp ?? null,
};

/** The columns of a built-in kind. */
export function columnsOf({
  group,
  resource,
}: {
  readonly group: string;
  readonly resource: string;
}): readonly Column[] {
  return COLUMNS[group === "" ? resource : `${resource}.${group}`] ?? PLAIN;
}

const PLAIN: readonly Column[] = [NAME, CREATED_AT];

const COLUMNS: Readonly<Record<string, readonly Column[]>> = {};
