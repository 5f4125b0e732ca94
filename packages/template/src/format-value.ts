import { type Flags, pad } from "./format-flags.ts";
import { formatFloat, formatInteger } from "./format-number.ts";
import { formatBytes, formatString } from "./format-string.ts";
import { isSigned, isUnsigned } from "./types.ts";
import {
  boolOf,
  complexOf,
  elementsOf,
  entriesOf,
  floatOf,
  inPlace,
  intOf,
  isNil,
  type MaybeValue,
  rawField,
  textOf,
  Value,
  valueOf,
} from "./value.ts";

/** Deepest nesting that is printed; JavaScript data may be cyclic, Go's text for that does not exist. */
const MAX_DEPTH = 500;

/** A value as Go's `fmt` prints it under a verb. */
export function formatValue(value: MaybeValue, verb: string, flags: Flags): string {
  if (value === undefined) return verb === "v" || verb === "T" ? pad("<nil>", flags) : `%!${verb}(<nil>)`;
  if (verb === "T") return formatString(value.type.name, "s", flags) ?? "";
  return format(value, verb, flags, 0);
}

/** The wrong verb for a value keeps its flags for the value that is shown. */
function badVerb(value: Value, verb: string, flags: Flags): string {
  return `%!${verb}(${value.type.name}=${format(value, "v", flags, 0, false)})`;
}

function format(value: Value, verb: string, flags: Flags, depth: number, methods = true): string {
  if (depth > MAX_DEPTH) return "...";
  const { type } = value;
  // A pointer has the methods of what it points to.
  const { text } = type.text === undefined && type.kind === "pointer" ? type.elem : type;
  if (methods && text !== undefined && !flags.sharpV && "vsxXq".includes(verb) && !isNil(value)) {
    return formatString(text(value.raw), verb, flags) ?? "";
  }
  return formatKind(value, verb, flags, depth) ?? badVerb(value, verb, flags);
}

function formatKind(value: Value, verb: string, flags: Flags, depth: number): string | undefined {
  switch (value.type.kind) {
    case "bool":
      return verb === "t" || verb === "v" ? pad(String(boolOf(value)), flags) : undefined;
    case "string":
      return formatString(textOf(value), verb, flags);
    case "float32":
    case "float64":
      return formatFloat(floatOf(value), value.type.kind === "float32", verb, flags);
    case "complex128":
      return formatComplex(value, verb, flags);
    case "slice":
      return formatSlice(value, verb, flags, depth);
    case "map":
      return formatMap(value, verb, flags, depth);
    case "struct":
      return formatStruct(value, verb, flags, depth);
    case "pointer":
      return formatPointer(value, verb, flags, depth);
    case "interface": {
      const inner = valueOf(value.raw);
      if (inner !== undefined) return format(inner, verb, flags, depth + 1);
      return flags.sharpV ? "interface {}(nil)" : "<nil>";
    }
    case "func":
      return isNil(value) ? pad("<nil>", flags) : pad("0x0", flags);
    default:
      return formatWhole(value, verb, flags);
  }
}

function formatWhole(value: Value, verb: string, flags: Flags): string | undefined {
  const { kind } = value.type;
  if (!isSigned(kind) && !isUnsigned(kind)) return undefined;
  return formatInteger(intOf(value), isUnsigned(kind), verb, flags);
}

function formatComplex(value: Value, verb: string, flags: Flags): string | undefined {
  const { real, imaginary } = complexOf(value);
  const first = formatFloat(real, false, verb, flags);
  const second = formatFloat(imaginary, false, verb, { ...flags, plus: true });
  return first === undefined || second === undefined ? undefined : `(${first}${second}i)`;
}

function formatSlice(value: Value, verb: string, flags: Flags, depth: number): string {
  const elements = elementsOf(value);
  if (value.type.kind === "slice" && value.type.elem.kind === "uint8") {
    const bytes = Uint8Array.from(elements, (element) => Number(intOf(element)));
    const text = formatBytes(bytes, verb, flags);
    if (text !== undefined) return text;
  }
  if (flags.sharpV) {
    const name = value.type.name === "[]uint8" && depth === 0 ? "[]byte" : value.type.name;
    if (isNil(value)) return `${name}(nil)`;
    return `${name}{${elements.map((element) => format(element, verb, flags, depth + 1)).join(", ")}}`;
  }
  return `[${elements.map((element) => format(element, verb, flags, depth + 1)).join(" ")}]`;
}

function formatMap(value: Value, verb: string, flags: Flags, depth: number): string {
  if (flags.sharpV && isNil(value)) return `${value.type.name}(nil)`;
  const entries = entriesOf(value).map(
    ([key, element]) => `${format(key, verb, flags, depth + 1)}:${format(element, verb, flags, depth + 1)}`,
  );
  return flags.sharpV ? `${value.type.name}{${entries.join(", ")}}` : `map[${entries.join(" ")}]`;
}

function formatStruct(value: Value, verb: string, flags: Flags, depth: number): string {
  if (value.type.kind !== "struct") return "";
  const named = flags.plusV || flags.sharpV;
  const fields = value.type.fields.map((field) => {
    const text = format(inPlace(field.type, rawField(value.raw, field.key ?? field.name)), verb, flags, depth + 1);
    return named ? `${field.name}:${text}` : text;
  });
  return flags.sharpV ? `${value.type.name}{${fields.join(", ")}}` : `{${fields.join(" ")}}`;
}

/** Pointers print as what they point to with `&` before it: addresses mean nothing here, at any depth. */
function formatPointer(value: Value, verb: string, flags: Flags, depth: number): string {
  if (value.type.kind !== "pointer") return "";
  if (isNil(value)) return flags.sharpV ? `(${value.type.name})(nil)` : pad("<nil>", flags);
  return `&${format(inPlace(value.type.elem, value.raw), verb, flags, depth + 1)}`;
}
