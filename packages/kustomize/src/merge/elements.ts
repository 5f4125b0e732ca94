import { demandKind } from "../yaml/kind-error.ts";
import { isThere, type Node } from "../yaml/node.ts";

/** The first element that has these values; an element's own text where the key is empty. */
export function findElement(list: Node, keys: readonly string[], values: readonly string[]): Node | undefined {
  const [first = ""] = keys;
  if (first === "") return list.items.find(({ text }) => text === (values[0] ?? ""));
  return list.items.find(
    (item) => item.kind === "mapping" && keys.every((key, at) => hasText(item.get(key), values[at] ?? "")),
  );
}

const hasText = (node: Node | undefined, text: string): boolean => node !== undefined && node.text === text;

/**
 * Puts an element in the place of those that have its values, or at the end; without an element, takes them away.
 * Elements that are null or empty go, too; and with fewer values than keys, so does all that is not known to be equal.
 */
export function setElement(
  list: Node,
  keys: readonly string[],
  values: readonly string[],
  element: Node | undefined,
): void {
  demandKind(list, "sequence");
  const byKey = (keys[0] ?? "") !== "" && (values[0] ?? "") !== "";
  const kept: Node[] = [];
  let found = false;
  for (const item of list.items) {
    if (item.isNull || (item.kind === "mapping" && item.pairs.length === 0)) continue;
    if (item.kind !== "mapping" && byKey) {
      kept.push(item);
      continue;
    }
    if (!isSame(item, keys, values)) {
      if (values.length > 0) kept.push(item);
      continue;
    }
    found = true;
    if (element !== undefined) kept.push(element);
  }
  list.items = kept;
  if (!found && isThere(element)) list.items.push(element);
}

function isSame(item: Node, keys: readonly string[], values: readonly string[]): boolean {
  let same = false;
  for (const [at, key] of keys.entries()) {
    // Without a value of its own, a key is as the one before it was.
    if (at < values.length) same = matches(item, key, values[at] ?? "");
    if (!same) return false;
  }
  return same;
}

function matches(item: Node, key: string, value: string): boolean {
  if (key === "") {
    demandKind(item, "scalar");
    return item.text === value;
  }
  demandKind(item, "mapping");
  const field = item.get(key);
  return field !== undefined && (value === "" || field.text === value);
}
