import { isObject, type Json } from "../object/json.ts";
import { textAt, valueAt } from "../object/kube-object.ts";
import { type FieldError, invalid, required } from "../status/field-error.ts";

const COLUMN_TYPES = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

function simplePathErrors(text: string, path: string): readonly FieldError[] {
  return text.startsWith(".") ? [] : [invalid(path, text, "must be a simple json path starting with .")];
}

/** What is wrong with `apiextensions/v1.CustomResourceColumnDefinition`. */
export function columnErrors(column: Json, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const [type, format, text] = [textAt(column, "type"), textAt(column, "format"), textAt(column, "jsonPath")];
  if (textAt(column, "name") === "") errors.push(required(`${path}.name`));
  const mustBe = `must be one of ${COLUMN_TYPES.join(",")}`;
  if (type === "") errors.push(required(`${path}.type`, mustBe));
  else if (!COLUMN_TYPES.includes(type)) errors.push(invalid(`${path}.type`, type, mustBe));
  if (format !== "" && !COLUMN_FORMATS.includes(format))
    errors.push(invalid(`${path}.format`, format, `must be one of ${COLUMN_FORMATS.join(",")}`));
  // Whether it can be read is nobody's concern until a table is made.
  if (text === "") errors.push(required(`${path}.JSONPath`));
  else errors.push(...simplePathErrors(text, `${path}.JSONPath`));
  return errors;
}

const SCALE = [
  { field: "specReplicasPath", below: [".spec."], isRequired: true },
  { field: "statusReplicasPath", below: [".status."], isRequired: true },
  { field: "labelSelectorPath", below: [".spec.", ".status."], isRequired: false },
] as const;

/** What is wrong with `apiextensions/v1.CustomResourceSubresourceScale`. */
export function scaleErrors(scale: Json | undefined, path: string): readonly FieldError[] {
  if (!isObject(scale ?? null)) return [];
  return SCALE.flatMap(({ field, below, isRequired }) => {
    const text = textAt(scale, field);
    const at = `${path}.${field}`;
    if (text === "") return isRequired ? [required(at)] : [];
    const errors = simplePathErrors(text, at);
    if (errors.length > 0 || below.some((start) => text.startsWith(start))) return errors;
    const places = below.map((start) => start.slice(0, -1));
    const where = places.length > 1 ? `either ${places.join(" or ")}` : places.join("");
    return [invalid(at, text, `should be a json path under ${where}`)];
  });
}

/** What is wrong with how a version warns of itself. */
export function deprecationErrors(version: Json, path: string): readonly FieldError[] {
  const warning = valueAt(version, "deprecationWarning") ?? undefined;
  const at = `${path}.deprecationWarning`;
  if (typeof warning !== "string") return [];
  if (valueAt(version, "deprecated") !== true) return [invalid(at, warning, "can only be set for deprecated versions")];
  const errors: FieldError[] = [];
  if (Buffer.byteLength(warning) > 256) errors.push(invalid(at, warning, "must be <= 256 characters long"));
  if (warning === "") errors.push(invalid(at, warning, "must not be an empty string"));
  // Of white space only a plain space can be printed, as Go has it.
  const odd = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(warning);
  if (odd === null) return errors;
  const place = Buffer.byteLength(warning.slice(0, odd.index));
  const why = `must only contain printable UTF-8 characters; non-printable character found at index ${place}`;
  return [...errors, invalid(at, warning, why)];
}
