import { isThere, Node } from "../yaml/node.ts";
import { findElement, setElement } from "./elements.ts";
import type { Merger } from "./merge-patch.ts";
import type { MergeSchema } from "./merge-schema.ts";

/** Merges lists whose elements are known by keys, those of the patch first. @param target changed in place */
export function mergeList(
  merger: Merger,
  target: Node,
  patch: Node | undefined,
  schema: MergeSchema,
): Node | undefined {
  const keys = schema.mergeKeys ?? [];
  if (keys.length === 0) return mergeElements(merger, target, patch, [""], texts(target, patch), undefined);
  const values = keyValues(target, patch, keys);
  return mergeElements(merger, target, patch, keys, keys.length > 1 ? unify(values) : values, schema.elements());
}

function mergeElements(
  merger: Merger,
  target: Node,
  patch: Node | undefined,
  keys: readonly string[],
  known: readonly (readonly string[])[],
  schema: MergeSchema | undefined,
): Node | undefined {
  const merged = Node.sequence();
  let list = target;
  let used: readonly string[] = [];
  for (const values of known) {
    const [usedKeys, usedValues] = usedKeysOf(known, values, keys);
    used = usedKeys;
    const [ownKeys, ownValues] = usedKeysOf([usedValues], usedValues, usedKeys);
    const value = merger.merge(
      findElement(list, ownKeys, ownValues),
      patch && findElement(patch, ownKeys, ownValues),
      schema,
    );
    if (!isThere(value) || (value.kind === "mapping" && value.pairs.length === 0)) {
      setElement(list, usedKeys, usedValues, undefined);
      continue;
    }
    for (const [at, key] of usedKeys.entries()) {
      const text = usedValues[at] ?? "";
      if (text === "" || value.pair(key) !== undefined) continue;
      if (key === "") value.write(text);
      else value.setText(key, text);
    }
    setElement(merged, usedKeys, usedValues, value);
  }
  if (known.length > 0) list = append(merged, list, used);
  return list;
}

/** Puts a list's elements behind others, or in the place of those that have the same keys. */
function append(list: Node, elements: Node, keys: readonly string[]): Node {
  for (const element of elements.items) {
    if (keys[0] === "") {
      setElement(list, [""], [element.text], element);
      continue;
    }
    const values: string[] = [];
    for (const key of keys) {
      const value = element.get(key);
      if (value === undefined) list.items.push(element);
      else values.push(value.text);
    }
    if (keys.length > 1) setElement(list, keys, values, undefined);
    setElement(list, keys, values, element);
  }
  return list;
}

/** What the elements of both are known by: the patch's first, each once. */
function keyValues(target: Node, patch: Node | undefined, keys: readonly string[]): string[][] {
  const found = new Map<string, string[]>();
  for (const list of [patch, target]) {
    for (const item of list?.items ?? []) {
      const values = keys.map((key) => {
        const field = item.get(key);
        return field === undefined || field.isEmpty ? "" : field.text;
      });
      const name = JSON.stringify(values);
      if (!found.has(name)) found.set(name, values);
    }
  }
  return [...found.values()];
}

function texts(target: Node, patch: Node | undefined): string[][] {
  const items = [...(patch?.items ?? []), ...target.items];
  return [...new Set(items.map(({ text }) => text))].map((text) => [text]);
}

/** Fills what one element leaves open with what another says, where nothing speaks against it. */
function unify(all: string[][]): string[][] {
  const lists = [...all];
  for (let left = 0; left < lists.length; left++) {
    for (let right = 0; right < lists.length; right++) {
      const common = compatible(lists[left] ?? [], lists[right] ?? []);
      if (common !== undefined) [lists[left], lists[right]] = [common, common];
    }
  }
  return lists;
}

function compatible(left: readonly string[], right: readonly string[]): string[] | undefined {
  let shared = false;
  const values: string[] = [];
  for (const [at, one] of left.entries()) {
    const other = right[at] ?? "";
    if (one === other) shared = true;
    else if (one !== "" && other !== "") return undefined;
    values.push(one === "" ? other : one);
  }
  return shared ? values : undefined;
}

/** Keys that at least one of the elements has, and the values for them. */
function usedKeysOf(
  all: readonly (readonly string[])[],
  values: readonly string[],
  keys: readonly string[],
): readonly [readonly string[], readonly string[]] {
  const used = new Set<string>();
  for (const one of all) for (const [at, key] of keys.entries()) if ((one[at] ?? "") !== "") used.add(key);
  if (used.size === 0) return [keys, values];
  return [keys.filter((key) => used.has(key)), values.filter((value, at) => value !== "" || used.has(keys[at] ?? ""))];
}
