import { randomUUID } from "node:crypto";
import { isBigInteger, isObject, type Json, parseJson } from "@boxship/api";
import { dump } from "js-yaml";

/** What stands for integers that the writer of YAML would round; nobody else knows it. */
const MARK = `integer-${randomUUID()}-`;
const MARKED = new RegExp(`${MARK}(-?\\d+)`, "g");

/** A JSON body as YAML. */
export function toYaml(parts: readonly Uint8Array[]): Buffer {
  const value = marked(parseJson(Buffer.concat(parts).toString("utf8")));
  return Buffer.from(dump(value, { lineWidth: -1, noRefs: true, sortKeys: true }).replace(MARKED, "$1"));
}

function marked(value: Json): Json {
  if (isBigInteger(value)) return `${MARK}${String(value)}`;
  if (Array.isArray(value)) return value.map(marked);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([field, item]) => [field, marked(item ?? null)]));
}
