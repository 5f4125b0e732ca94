import { goDuration } from "@boxship/base";
import {
  anyType,
  boolType,
  float64Type,
  type GoType,
  int64Type,
  intType,
  mapOf,
  named,
  pointerTo,
  type StructField,
  sliceOf,
  stringType,
  structOf,
  uint8Type,
  uint16Type,
  uint32Type,
  uint64Type,
} from "@boxship/template";
import { goTimeOfText } from "./go-time.ts";
import { INSPECT_TYPES } from "./inspect-types.ts";

const BASIC: Readonly<Record<string, GoType>> = {
  any: anyType,
  bool: boolType,
  float64: float64Type,
  int: intType,
  int64: int64Type,
  string: stringType,
  uint: { kind: "uint", name: "uint" },
  uint8: uint8Type,
  uint16: uint16Type,
  uint32: uint32Type,
  uint64: uint64Type,
  "time.Time": named("time.Time", stringType, {
    text: (raw) => goTimeOfText(typeof raw === "string" ? raw : "0001-01-01T00:00:00Z"),
  }),
  "time.Duration": named("time.Duration", int64Type, { text: (raw) => goDuration(Number(raw ?? 0)) }),
};

let definitions: ReadonlyMap<string, readonly string[]> | undefined;

function readDefinitions(): ReadonlyMap<string, readonly string[]> {
  const lines = INSPECT_TYPES.trim().replaceAll("\n  ", " ").split("\n");
  return new Map(lines.map((line) => line.split(" ")).map(([name = "", ...fields]) => [name, fields]));
}

const known = new Map<string, GoType>();

/** The type of a name as the table writes it. */
function parseType(text: string): GoType {
  const basic = BASIC[text];
  if (basic !== undefined) return basic;
  if (text.startsWith("*")) return pointerTo(parseType(text.slice(1)));
  if (text.startsWith("[]")) return sliceOf(parseType(text.slice(2)));
  const map = /^map\[(\w+)\](.*)$/.exec(text);
  if (map !== null) return mapOf(parseType(map[1] ?? ""), parseType(map[2] ?? ""));
  return inspectType(text);
}

function parseField(text: string): StructField {
  const [, name = "", key, optional, type = ""] = /^([^=?:]+)(?:=([^?:]+))?(\?)?:(.+)$/.exec(text) ?? [];
  return { name, ...(key !== undefined && { key }), omitEmpty: optional !== undefined, type: parseType(type) };
}

/** A type of the table, e.g. `container.InspectResponse`. */
export function inspectType(name: string): GoType {
  const before = known.get(name);
  if (before !== undefined) return before;
  definitions ??= readDefinitions();
  const type = structOf(name, (definitions.get(name) ?? []).map(parseField));
  known.set(name, type);
  return type;
}
