/**
 * Go's types, as far as a template can tell them apart. A {@link GoType} says how a raw JavaScript value is read:
 * the same JSON number is an `int` in one struct field and a `float64` in another, a missing field is its type's zero
 * value, and error texts name the type as Go does.
 */

export type IntKind =
  | "int"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "uintptr";

export type BasicKind = "bool" | "string" | "float32" | "float64" | "complex128" | IntKind;

/** A function that templates can call, as a method of a type or by name. */
export interface GoFunc {
  /** Types of the fixed parameters; arguments are checked against them before the call. */
  readonly params: readonly GoType[];
  /** Type of each further argument. @default none: the number of arguments is fixed */
  readonly variadic?: GoType;
  /**
   * The function itself. Arguments arrive as plain JavaScript values (ints as bigint; see `value.ts`), or as `Value`
   * where the parameter is {@link reflectType}. What it throws becomes `error calling NAME: MESSAGE`.
   */
  readonly call: (...args: never[]) => unknown;
}

interface Common {
  /** Go's name of the type, e.g. `map[string]interface {}`. Two types are the same when their names are. */
  readonly name: string;
  /** Methods; the receiver's raw value is the first argument of `call` and not part of `params`. */
  readonly methods?: Readonly<Record<string, GoFunc>>;
  /** Go's `String()` or `Error()`: how `print` and `%v` show a value of the type. */
  readonly text?: (raw: unknown) => string;
  /** Go's `MarshalJSON()`: what JSON output holds in the value's place. */
  readonly json?: (raw: unknown) => unknown;
}

export interface BasicType extends Common {
  readonly kind: BasicKind;
}

export interface AnyType extends Common {
  readonly kind: "interface";
}

export interface FuncType extends Common {
  readonly kind: "func";
}

export interface SliceType extends Common {
  readonly kind: "slice";
  readonly elem: GoType;
}

export interface MapType extends Common {
  readonly kind: "map";
  readonly key: GoType;
  readonly elem: GoType;
}

export interface StructField {
  /** Go's name of the field: what templates say. */
  readonly name: string;
  readonly type: GoType;
  /** Key of the field in the raw object and in JSON output. @default the field's name */
  readonly key?: string;
  /** Left out of JSON output when it is empty. @default false */
  readonly omitEmpty?: boolean;
}

export interface StructType extends Common {
  readonly kind: "struct";
  readonly fields: readonly StructField[];
}

export interface PointerType extends Common {
  readonly kind: "pointer";
  readonly elem: GoType;
}

export type GoType = BasicType | AnyType | FuncType | SliceType | MapType | StructType | PointerType;

const basic = (kind: BasicKind): BasicType => ({ kind, name: kind });

export const boolType: BasicType = basic("bool");
export const stringType: BasicType = basic("string");
export const intType: BasicType = basic("int");
export const int32Type: BasicType = basic("int32");
export const int64Type: BasicType = basic("int64");
export const uint8Type: BasicType = basic("uint8");
export const uint16Type: BasicType = basic("uint16");
export const uint32Type: BasicType = basic("uint32");
export const uint64Type: BasicType = basic("uint64");
export const float32Type: BasicType = basic("float32");
export const float64Type: BasicType = basic("float64");
export const complexType: BasicType = basic("complex128");
/** `interface {}`: the value inside is read by what it is. */
export const anyType: AnyType = { kind: "interface", name: "interface {}" };
export const funcType: FuncType = { kind: "func", name: "func(...interface {}) interface {}" };
/** Parameters of this type take the `Value` as it is, type and all. */
export const reflectType: StructType = { kind: "struct", name: "reflect.Value", fields: [] };

export function sliceOf(elem: GoType): SliceType {
  return { kind: "slice", name: `[]${elem.name}`, elem };
}

export function mapOf(key: GoType, elem: GoType): MapType {
  return { kind: "map", name: `map[${key.name}]${elem.name}`, key, elem };
}

export function pointerTo(elem: GoType): PointerType {
  return { kind: "pointer", name: `*${elem.name}`, elem };
}

export function structOf(name: string, fields: readonly StructField[], more: Omit<Common, "name"> = {}): StructType {
  return { kind: "struct", name, fields, ...more };
}

/** A type of another name with the same shape, as `type Duration int64`. */
export function named<T extends GoType>(name: string, type: T, more: Omit<Common, "name"> = {}): T {
  return { ...type, ...more, name };
}

export const anySliceType: SliceType = sliceOf(anyType);
export const anyMapType: MapType = mapOf(stringType, anyType);
export const stringSliceType: SliceType = sliceOf(stringType);
export const stringMapType: MapType = mapOf(stringType, stringType);
export const bytesType: SliceType = sliceOf(uint8Type);

const SIGNED: ReadonlySet<string> = new Set(["int", "int8", "int16", "int32", "int64"]);
const UNSIGNED: ReadonlySet<string> = new Set(["uint", "uint8", "uint16", "uint32", "uint64", "uintptr"]);

export function isSigned(kind: GoType["kind"]): boolean {
  return SIGNED.has(kind);
}

export function isUnsigned(kind: GoType["kind"]): boolean {
  return UNSIGNED.has(kind);
}

export function isFloat(kind: GoType["kind"]): boolean {
  return kind === "float64" || kind === "float32";
}

/** Whether a value of the kind can be nil. */
export function canBeNil(type: GoType): boolean {
  switch (type.kind) {
    case "func":
    case "interface":
    case "map":
    case "pointer":
    case "slice":
      return true;
    default:
      return type === reflectType;
  }
}

/** Bits of an integer kind. */
export function intBits(kind: GoType["kind"]): number {
  const digits = /\d+$/.exec(kind);
  return digits === null ? 64 : Number(digits[0]);
}
