import { isObject, type Json, type JsonObject, setField } from "../object/json.ts";

/**
 * A set of fields of an object, as a tree of path elements in the words of `FieldsV1`: `f:` a field, `k:` an item of a
 * list by its keys, `v:` an item of a set by its value. A node may be in the set itself, and have members below.
 */
export class FieldSet {
  member: boolean;
  readonly children = new Map<string, FieldSet>();

  constructor(member = false) {
    this.member = member;
  }

  /** The node of a path element, made if it is missing. */
  child(element: string): FieldSet {
    let child = this.children.get(element);
    if (child === undefined) this.children.set(element, (child = new FieldSet()));
    return child;
  }

  get isEmpty(): boolean {
    return !this.member && [...this.children.values()].every((child) => child.isEmpty);
  }

  union(other: FieldSet): FieldSet {
    const result = new FieldSet(this.member || other.member);
    for (const element of new Set([...this.children.keys(), ...other.children.keys()])) {
      const [mine, others] = [this.children.get(element), other.children.get(element)];
      result.children.set(
        element,
        mine === undefined || others === undefined ? copyOf(mine ?? others) : mine.union(others),
      );
    }
    return result;
  }

  /** What is in this and not in the other. */
  difference(other: FieldSet): FieldSet {
    const result = new FieldSet(this.member && !other.member);
    for (const [element, child] of this.children) {
      const others = other.children.get(element);
      const left = others === undefined ? copyOf(child) : child.difference(others);
      if (!left.isEmpty) result.children.set(element, left);
    }
    return result;
  }

  intersection(other: FieldSet): FieldSet {
    const result = new FieldSet(this.member && other.member);
    for (const [element, child] of this.children) {
      const others = other.children.get(element);
      if (others === undefined) continue;
      const both = child.intersection(others);
      if (!both.isEmpty) result.children.set(element, both);
    }
    return result;
  }

  /** Paths of all members as people read them, e.g. `.spec.containers[name="web"].image`. */
  *paths(prefix = ""): Generator<string> {
    if (this.member) yield prefix;
    for (const [element, child] of this.children) yield* child.paths(prefix + elementText(element));
  }

  toJson(): JsonObject {
    const result: JsonObject = {};
    const inner = [...this.children].filter(([, child]) => !child.isEmpty);
    if (this.member && inner.length > 0) result["."] = {};
    for (const [element, child] of inner.sort(([a], [b]) => (a < b ? -1 : 1)))
      setField(result, element, child.toJson());
    return result;
  }

  /** Elements that are not of this form are left out. */
  static fromJson(json: Json | undefined, isRoot = true): FieldSet {
    const set = new FieldSet();
    if (!isObject(json)) return set;
    const elements = Object.keys(json);
    set.member = !isRoot && (elements.length === 0 || elements.includes("."));
    for (const element of elements) {
      if (element !== ".") set.children.set(element, FieldSet.fromJson(json[element], false));
    }
    return set;
  }
}

function copyOf(set: FieldSet | undefined): FieldSet {
  const copy = new FieldSet(set?.member);
  for (const [element, child] of set?.children ?? []) copy.children.set(element, copyOf(child));
  return copy;
}

function elementText(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith("f:")) return `.${rest}`;
  if (element.startsWith("v:")) return `[=${rest}]`;
  try {
    const keys = JSON.parse(rest) as Record<string, unknown>;
    return `[${Object.entries(keys)
      .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
      .join(",")}]`;
  } catch {
    return `[${rest}]`;
  }
}
