import { isObject, type Json, type JsonObject, setField } from "../object/json.ts";

const NONE: ReadonlyMap<string, FieldSet> = new Map();

/**
 * A set of fields of an object, as a tree of path elements in the words of `FieldsV1`: `f:` a field, `k:` an item of a
 * list by its keys, `v:` an item of a set by its value. A node may be in the set itself, and have members below. Sets that
 * are made of others share their nodes: only one that is being built is changed.
 */
export class FieldSet {
  member: boolean;
  /** Most are leaves: a map is made for what has something below it. */
  #children: Map<string, FieldSet> | undefined;

  constructor(member = false) {
    this.member = member;
  }

  get children(): ReadonlyMap<string, FieldSet> {
    return this.#children ?? NONE;
  }

  put(element: string, child: FieldSet): void {
    (this.#children ??= new Map<string, FieldSet>()).set(element, child);
  }

  /** The node of a path element, made if it is missing. */
  child(element: string): FieldSet {
    let child = this.#children?.get(element);
    if (child === undefined) this.put(element, (child = new FieldSet()));
    return child;
  }

  get isEmpty(): boolean {
    if (this.member) return false;
    for (const child of this.children.values()) if (!child.isEmpty) return false;
    return true;
  }

  union(other: FieldSet): FieldSet {
    const result = new FieldSet(this.member || other.member);
    for (const [element, child] of this.children) {
      const others = other.children.get(element);
      result.put(element, others === undefined ? child : child.union(others));
    }
    for (const [element, child] of other.children) if (!this.children.has(element)) result.put(element, child);
    return result;
  }

  /** What is in this and not in the other. */
  difference(other: FieldSet): FieldSet {
    const result = new FieldSet(this.member && !other.member);
    for (const [element, child] of this.children) {
      const others = other.children.get(element);
      const left = others === undefined ? child : child.difference(others);
      if (!left.isEmpty) result.put(element, left);
    }
    return result;
  }

  intersection(other: FieldSet): FieldSet {
    const result = new FieldSet(this.member && other.member);
    for (const [element, child] of this.children) {
      const others = other.children.get(element);
      if (others === undefined) continue;
      const both = child.intersection(others);
      if (!both.isEmpty) result.put(element, both);
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
      if (element !== ".") set.put(element, FieldSet.fromJson(json[element], false));
    }
    return set;
  }
}

/** A path element as people read it, e.g. `[name="web"]`. */
export function elementText(element: string): string {
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
