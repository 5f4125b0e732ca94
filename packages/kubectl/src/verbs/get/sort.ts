import { type Json, parseQuantity } from "@boxship/api";
import { Refusal } from "../../failure.ts";
import { JsonPathTemplate, relaxedPath } from "../../print/jsonpath.ts";

/**
 * Things in the order of what a path leads to in each; what has nothing there comes first.
 *
 * @throws Refusal where none has such a field
 */
export function sortByPath<T>(items: readonly T[], path: string, objectOf: (item: T) => Json): readonly T[] {
  const relaxed = relaxedPath(path);
  const template = new JsonPathTemplate(relaxed);
  const keyed = items.map((item) => ({ item, key: template.find(objectOf(item))[0]?.[0] }));
  if (items.length > 0 && keyed.every(({ key }) => key === undefined)) {
    throw new Refusal(`couldn't find any field with path ${JSON.stringify(relaxed)} in the list of objects`);
  }
  return keyed.sort((a, b) => compareValues(a.key, b.key)).map(({ item }) => item);
}

function compareValues(left: Json | undefined, right: Json | undefined): number {
  if (left === undefined || right === undefined) return Number(left !== undefined) - Number(right !== undefined);
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "boolean" && typeof right === "boolean") return Number(left) - Number(right);
  if (typeof left !== "string" || typeof right !== "string") {
    throw new Refusal(`unsortable type: ${typeof left === "object" ? "map" : typeof left}`);
  }
  const [one, other] = [parseQuantity(left), parseQuantity(right)];
  if (one !== undefined && other !== undefined) return one.nano < other.nano ? -1 : one.nano > other.nano ? 1 : 0;
  return naturally(left, right);
}

/** Runs of digits count as numbers. */
function naturally(left: string, right: string): number {
  const [a, b] = [left.match(/\d+|\D+/g) ?? [], right.match(/\d+|\D+/g) ?? []];
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const [one = "", other = ""] = [a[at], b[at]];
    if (one === other) continue;
    const numbers = /^\d/.test(one) && /^\d/.test(other);
    if (numbers && Number(one) !== Number(other)) return Number(one) - Number(other);
    if (one !== other) return one < other ? -1 : 1;
  }
  return a.length - b.length;
}
