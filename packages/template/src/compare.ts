import { sprint, sprintf } from "./format.ts";
import { isFloat, isSigned, isUnsigned } from "./types.ts";
import {
  boolOf,
  compareText,
  complexOf,
  floatOf,
  intOf,
  isNil,
  type MaybeValue,
  stripInterface,
  textOf,
  type Value,
} from "./value.ts";

type BasicKind = "bool" | "int" | "uint" | "float" | "complex" | "string";

function basicKind(value: MaybeValue): BasicKind | undefined {
  const kind = value?.type.kind;
  if (kind === undefined) return undefined;
  if (isSigned(kind)) return "int";
  if (isUnsigned(kind)) return "uint";
  if (isFloat(kind)) return "float";
  if (kind === "complex128") return "complex";
  return kind === "bool" || kind === "string" ? kind : undefined;
}

function isWhole(kind: BasicKind | undefined): boolean {
  return kind === "int" || kind === "uint";
}

function incompatible(a: Value, b: Value): Error {
  return new Error(`incompatible types for comparison: ${a.type.name} and ${b.type.name}`);
}

/** Go's `eq`: whether the first operand equals any of the others. */
export function equalAny(first: MaybeValue, others: readonly MaybeValue[]): boolean {
  if (others.length === 0) throw new Error("missing argument for comparison");
  const value = stripInterface(first);
  return others.some((other) => equal(value, stripInterface(other)));
}

function equal(a: MaybeValue, b: MaybeValue): boolean {
  const kind = basicKind(a);
  const other = basicKind(b);
  if (kind !== other) {
    if (a === undefined || b === undefined) return false;
    if (isWhole(kind) && isWhole(other)) return intOf(a) === intOf(b);
    throw incompatible(a, b);
  }
  if (kind === undefined || a === undefined || b === undefined) return equalOther(a, b);
  return equalBasic(kind, a, b);
}

function equalBasic(kind: BasicKind, a: Value, b: Value): boolean {
  switch (kind) {
    case "bool":
      return boolOf(a) === boolOf(b);
    case "int":
    case "uint":
      return intOf(a) === intOf(b);
    case "float":
      return floatOf(a) === floatOf(b);
    case "complex":
      return complexOf(a).real === complexOf(b).real && complexOf(a).imaginary === complexOf(b).imaginary;
    case "string":
      return textOf(a) === textOf(b);
  }
}

/** Kinds that are not basic: nil equals nil, pointers are compared by identity, the rest not at all. */
function equalOther(a: MaybeValue, b: MaybeValue): boolean {
  if (a !== undefined && b !== undefined && a.type.kind !== b.type.kind) {
    throw new Error(`non-comparable types ${describe(a)}: ${a.type.name}, ${b.type.name}: ${sprint([b])}`);
  }
  const nilA = a === undefined || isNil(a);
  const nilB = b === undefined || isNil(b);
  if (nilA || nilB) return nilA === nilB;
  const { kind } = b.type;
  if (kind === "slice" || kind === "map" || kind === "func") {
    throw new Error(`non-comparable type ${describe(b)}: ${b.type.name}`);
  }
  return a.type.name === b.type.name && a.raw === b.raw;
}

function describe(value: Value): string {
  return sprintf("%s", [value]);
}

/** Go's `lt`, on operands of one ordered basic kind (signed and unsigned integers mix). */
export function less(first: MaybeValue, second: MaybeValue): boolean {
  const a = stripInterface(first);
  const kind = basicKind(a);
  const b = stripInterface(second);
  const other = basicKind(b);
  if (a === undefined || b === undefined || kind === undefined || other === undefined) {
    throw new Error("invalid type for comparison");
  }
  if (isWhole(kind) && isWhole(other)) return intOf(a) < intOf(b);
  if (kind !== other) throw incompatible(a, b);
  switch (kind) {
    case "float":
      return floatOf(a) < floatOf(b);
    case "string":
      return compareText(textOf(a), textOf(b)) < 0;
    default:
      throw new Error("invalid type for comparison");
  }
}

/** Go's `le`. */
export function lessOrEqual(a: MaybeValue, b: MaybeValue): boolean {
  return less(a, b) || equalAny(a, [b]);
}
