import { isObject, type Json, type KubeObject, textAt } from "@boxship/api";
import { numberText } from "@boxship/api/go-json";
import type { Session } from "../session.ts";
import { writeEvents } from "./events.ts";
import { Lines } from "./lines.ts";

/** Words that are written whole. */
const UPPER = new Set(["API", "GUID", "OSB", "UID", "URL"]);
/** Three capitals and more keep together with the small letters that follow them (`URLs`), two do not (`IPs`). */
const WORD = /\p{Lu}{3,}\p{Ll}*|\p{Lu}{2}(?!\p{Ll})|\p{Lu}\p{Ll}*|\p{Ll}+|\P{L}+/gu;

/** `someFieldName` as `Some Field Name`. */
function title(field: string): string {
  if (/[^\p{L}-]/u.test(field)) return field;
  const words = field.match(WORD) ?? [field];
  return words
    .map((word) => (UPPER.has(word.toUpperCase()) ? word.toUpperCase() : word.charAt(0).toUpperCase() + word.slice(1)))
    .join(" ");
}

const SKIPPED = new Set(["managedFields", "name", "namespace", "labels", "annotations"]);

/** Any object, field by field. */
export async function describeAny(session: Session, object: KubeObject): Promise<string> {
  const lines = new Lines();
  lines.add(0, `Name:\t${textAt(object, "metadata", "name")}`);
  lines.add(0, `Namespace:\t${textAt(object, "metadata", "namespace")}`);
  lines.labels("Labels", object.metadata.labels);
  lines.annotations("Annotations", object.metadata.annotations);
  const { metadata, ...rest } = object;
  const kept = Object.fromEntries(Object.entries(metadata).filter(([field]) => !SKIPPED.has(field)));
  writeFields(lines, 0, { ...rest, metadata: kept });
  await writeEvents(session, object, lines);
  return lines.text;
}

function writeFields(lines: Lines, level: number, object: { readonly [field: string]: Json | undefined }): void {
  const fields = Object.keys(object)
    .filter((field) => object[field] !== undefined)
    .map((field) => ({ field, name: title(field) }))
    .sort((a, b) => (a.field < b.field ? -1 : 1));
  for (const { field, name } of fields) {
    const value = object[field] ?? null;
    if (Array.isArray(value)) {
      lines.add(level, `${name}:`);
      writeItems(lines, level + 1, value);
    } else if (isObject(value)) {
      lines.add(level, `${name}:`);
      writeFields(lines, level + 1, value);
    } else lines.add(level, `${name}:\t${scalar(value)}`);
  }
}

const scalar = (value: Json): string =>
  value === null ? "<nil>" : typeof value === "number" ? numberText(value) : textAt(value);

function writeItems(lines: Lines, level: number, items: readonly Json[]): void {
  for (const item of items) {
    if (isObject(item)) writeFields(lines, level, item);
    else if (Array.isArray(item)) writeItems(lines, level + 1, item);
    else lines.add(level, scalar(item));
  }
}
