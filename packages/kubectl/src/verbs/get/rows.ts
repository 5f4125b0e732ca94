import { isObject, type Json, listAt, textAt, valueAt } from "@boxship/api";
import { alignRows, cellText } from "../../print/table.ts";
import type { Mapping } from "../../resource/discovery.ts";

export interface RowOptions {
  readonly wide: boolean;
  readonly noHeaders: boolean;
  readonly showLabels: boolean;
  readonly labelColumns: readonly string[];
  readonly withKind: boolean;
  readonly withNamespace: boolean;
}

/** Only the name and the age are known of what has no table. */
export const TABLE_ACCEPT = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/** Columns of a server's table that are shown, by their place. */
export function shownColumns(table: Json, wide: boolean): readonly { readonly index: number; readonly name: string }[] {
  return listAt(table, "columnDefinitions").flatMap((column, index) =>
    wide || Number(valueAt(column, "priority") ?? 0) === 0 ? [{ index, name: textAt(column, "name") }] : [],
  );
}

export function headerOf(table: Json, options: RowOptions, event = false): readonly string[] {
  return [
    ...(event ? ["EVENT"] : []),
    ...(options.withNamespace ? ["NAMESPACE"] : []),
    ...shownColumns(table, options.wide).map(({ name }) => name.toUpperCase()),
    ...options.labelColumns.map((label) => (label.split("/").at(-1) ?? "").toUpperCase()),
    ...(options.showLabels ? ["LABELS"] : []),
  ];
}

export function rowOf(
  table: Json,
  row: Json,
  mapping: Pick<Mapping, "group" | "kind">,
  options: RowOptions,
): readonly string[] {
  const cells = listAt(row, "cells");
  const labels = valueAt(row, "object", "metadata", "labels");
  const group = mapping.group === "" ? "" : `.${mapping.group}`;
  const prefix = options.withKind ? `${mapping.kind.toLowerCase()}${group}/` : "";
  return [
    ...(options.withNamespace ? [textAt(row, "object", "metadata", "namespace")] : []),
    ...shownColumns(table, options.wide).map(({ index, name }) => {
      const text = cellText(typeof cells[index] === "object" ? JSON.stringify(cells[index]) : cells[index]);
      return name === "Name" ? `${prefix}${text}` : text;
    }),
    ...options.labelColumns.map((label) => (isObject(labels) ? textAt(labels, label) : "")),
    ...(options.showLabels ? [labelsText(labels)] : []),
  ];
}

/** Rows of tables of one kind, below one header. */
export function tableLines(tables: readonly Json[]): string {
  const options = {
    wide: false,
    noHeaders: false,
    showLabels: false,
    labelColumns: [],
    withKind: false,
    withNamespace: false,
  };
  const [first] = tables;
  if (first === undefined) return "";
  const rows = tables.flatMap((table) => listAt(table, "rows").map((row) => rowOf(table, row, NO_KIND, options)));
  return alignRows([headerOf(first, options), ...rows]);
}

/** Names stand without a kind before them. */
const NO_KIND = { group: "", kind: "" };

export function labelsText(labels: Json | undefined): string {
  const pairs = isObject(labels) ? Object.entries(labels).map(([key, value]) => `${key}=${textAt(value)}`) : [];
  return pairs.sort().join(",") || "<none>";
}
