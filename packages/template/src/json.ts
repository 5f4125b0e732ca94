import { isSigned, isUnsigned } from "./types.ts";
import {
  boolOf,
  compareText,
  elementsOf,
  entriesOf,
  floatOf,
  inPlace,
  intOf,
  isNil,
  isTrue,
  type MaybeValue,
  rawField,
  textOf,
  type Value,
  valueOf,
} from "./value.ts";

/**
 * Parses JSON so that integers stay integers: those without a point or an exponent become bigint (`int` in a
 * template), the others, and what 64 bits cannot hold, number (`float64`).
 */
export function parseJson(text: string): unknown {
  return JSON.parse(text, (_key: string, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source;
    if (typeof value !== "number" || source === undefined || !/^-?\d+$/.test(source)) return value;
    const integer = BigInt(source);
    return BigInt.asIntN(64, integer) === integer ? integer : value;
  });
}

export interface JsonOptions {
  /** Write `<`, `>` and `&` as `\u003c` and so on, as Go's `json.Marshal` does. @default false */
  readonly escapeHtml?: boolean;
}

/** A value as Go's `encoding/json` writes it: struct fields in their order, map keys sorted, no spaces. */
export function toJson(plain: unknown, options: JsonOptions = {}): string {
  return encode(valueOf(plain), options);
}

function encodeText(text: string, { escapeHtml = false }: JsonOptions): string {
  const quoted = JSON.stringify(text.toWellFormed()).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
  if (!escapeHtml) return quoted;
  return quoted.replaceAll("<", "\\u003c").replaceAll(">", "\\u003e").replaceAll("&", "\\u0026");
}

function encodeFloat(value: number): string {
  if (!Number.isFinite(value)) throw new Error(`json: unsupported value: ${value}`);
  const magnitude = Math.abs(value);
  if (Object.is(value, -0)) return "-0";
  if (magnitude === 0 || (magnitude >= 1e-6 && magnitude < 1e21)) return String(value);
  return value.toExponential();
}

function encode(value: MaybeValue, options: JsonOptions): string {
  if (value === undefined) return "null";
  const { type } = value;
  // Go's own MarshalJSON methods end in a plain Marshal, which escapes whatever the caller wants.
  if (type.json !== undefined) return encode(valueOf(type.json(value.raw)), { escapeHtml: true });
  switch (type.kind) {
    case "bool":
      return String(boolOf(value));
    case "string":
      return encodeText(textOf(value), options);
    case "float32":
    case "float64":
      return encodeFloat(floatOf(value));
    case "interface":
      return encode(valueOf(value.raw), options);
    case "pointer":
      return isNil(value) ? "null" : encode(inPlace(type.elem, value.raw), options);
    case "slice":
    case "map":
    case "struct":
      return encodeCompound(value, options);
    case "complex128":
    case "func":
      throw new Error(`json: unsupported type: ${type.name}`);
    default:
      return isSigned(type.kind) || isUnsigned(type.kind) ? intOf(value).toString() : "null";
  }
}

function encodeCompound(value: Value, options: JsonOptions): string {
  const { type } = value;
  if (type.kind === "struct") return encodeStruct(value, options);
  if (isNil(value)) return "null";
  if (type.kind === "map") {
    // Sorted by the keys as text: 10 stands before 9.
    const entries = entriesOf(value)
      .map(([key, element]) => [String(key.raw), encode(element, options)] as const)
      .sort(([one], [other]) => compareText(one, other));
    return `{${entries.map(([key, text]) => `${encodeText(key, options)}:${text}`).join(",")}}`;
  }
  const elements = elementsOf(value);
  if (type.kind === "slice" && type.elem.kind === "uint8") {
    return `"${Buffer.from(elements.map((element) => Number(intOf(element)))).toString("base64")}"`;
  }
  return `[${elements.map((element) => encode(element, options)).join(",")}]`;
}

function encodeStruct(value: Value, options: JsonOptions): string {
  if (value.type.kind !== "struct") return "null";
  const members: string[] = [];
  for (const field of value.type.fields) {
    const key = field.key ?? field.name;
    const element = inPlace(field.type, rawField(value.raw, key));
    if (field.omitEmpty && element.type.kind !== "struct" && !isTrue(element)) continue;
    members.push(`${encodeText(key, options)}:${encode(element, options)}`);
  }
  return `{${members.join(",")}}`;
}
