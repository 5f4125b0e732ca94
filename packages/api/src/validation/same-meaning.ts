import { differingHunks } from "@boxship/base";
import { deepEqual, isObject, type Json, type JsonObject } from "../object/json.ts";
import { textAt } from "../object/kube-object.ts";
import { formatQuantity, parseQuantity } from "../object/quantity.ts";

/** Fields whose values are amounts by name. */
const AMOUNTS = new Set(["capacity", "limits", "overhead", "requests"]);
/** Fields that are maps: an empty one is none. Of others, an empty object says something. */
const MAPS = new Set(["annotations", "labels", "matchLabels", "nodeSelector", ...AMOUNTS]);

function amounts(list: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(list).map(([name, text]) => {
      const amount = parseQuantity(textAt(text));
      return [name, amount === undefined ? (text ?? null) : formatQuantity(amount)];
    }),
  );
}

function plain(value: Json | undefined, field: string): Json | undefined {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => plain(item, "") ?? null);
  if (!isObject(value)) return value ?? undefined;
  const own = AMOUNTS.has(field) ? amounts(value) : value;
  const kept: JsonObject = {};
  for (const [name, item] of Object.entries(own)) {
    const told = plain(item, name);
    if (told !== undefined) kept[name] = told;
  }
  return MAPS.has(field) && Object.keys(kept).length === 0 ? undefined : kept;
}

/** Whether two values say the same: nothing, `null` and an empty list do, and so do `1` and `1000m` of a resource. */
export const sameMeaning = (left: Json | undefined, right: Json | undefined, field = ""): boolean =>
  deepEqual(plain(left, field) ?? null, plain(right, field) ?? null);

/** Fields by their names: clients send them in any order. */
const sorted = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const fields = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(fields.map(([field, item]) => [field, sorted(item ?? null)]));
};

/** What has changed, as lines of JSON that are gone and that have come, with three around them. */
export function differenceOf(before: Json, now: Json): string {
  const shown = (value: Json): string => JSON.stringify(sorted(value), null, 1);
  return differingHunks(shown(before), shown(now));
}
