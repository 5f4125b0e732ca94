import { isNonString } from "./resolve-scalar.ts";

export type Kind = "scalar" | "mapping" | "sequence";
export type Style = "plain" | "single" | "double" | "literal" | "folded";

export interface Pair {
  key: Node;
  value: Node;
}

export const [STR, INT, FLOAT, BOOL, NULL, TIME, MERGE] = [
  "!!str",
  "!!int",
  "!!float",
  "!!bool",
  "!!null",
  "!!timestamp",
  "!!merge",
] as const;

/**
 * A value of a YAML document as it is written: transformers compare and change the text of scalars, and only the end of a
 * build makes numbers of them. Nodes change in place; what is put into two trees is copied first.
 */
export class Node {
  kind: Kind;
  /** A scalar's. */
  text = "";
  /** A scalar's type; empty: what its text says. */
  tag = "";
  style: Style = "plain";
  /** Maps and lists that stand between brackets. */
  flow = false;
  pairs: Pair[];
  items: Node[];
  /** A null that is kept where a patch would take it away. */
  kept = false;

  private constructor(kind: Kind) {
    this.kind = kind;
    this.pairs = kind === "mapping" ? [] : NO_PAIRS;
    this.items = kind === "sequence" ? [] : NO_ITEMS;
  }

  static scalar(text: string, tag = "", style: Style = "plain"): Node {
    const node = new Node("scalar");
    node.text = text;
    node.tag = tag;
    node.style = style;
    return node;
  }

  static text(text: string): Node {
    return Node.scalar(text, STR);
  }

  static mapping(pairs: readonly (readonly [string, Node])[] = []): Node {
    const node = new Node("mapping");
    for (const [key, value] of pairs) node.pairs.push({ key: Node.text(key), value });
    return node;
  }

  static sequence(items: Node[] = []): Node {
    const node = new Node("sequence");
    node.items = items;
    return node;
  }

  static of(kind: Kind): Node {
    return new Node(kind);
  }

  copy(): Node {
    const copy = new Node(this.kind);
    copy.text = this.text;
    copy.tag = this.tag;
    copy.style = this.style;
    copy.flow = this.flow;
    copy.kept = this.kept;
    if (this.kind === "mapping") copy.pairs = this.pairs.map(({ key, value }) => ({ key, value: value.copy() }));
    else if (this.kind === "sequence") copy.items = this.items.map((item) => item.copy());
    return copy;
  }

  /** Takes everything of another: whoever holds this node sees that one's value. */
  become(other: Node): void {
    this.kind = other.kind;
    this.text = other.text;
    this.tag = other.tag;
    this.style = other.style;
    this.flow = other.flow;
    this.pairs = other.pairs;
    this.items = other.items;
    this.kept = other.kept;
  }

  get isNull(): boolean {
    return this.tag === NULL;
  }

  /** Null, or a map or list with nothing in it. */
  get isEmpty(): boolean {
    if (this.tag === NULL) return true;
    return this.kind === "mapping" ? this.pairs.length === 0 : this.kind === "sequence" && this.items.length === 0;
  }

  pair(field: string): Pair | undefined {
    for (const pair of this.pairs) if (pair.key.text === field) return pair;
    return undefined;
  }

  get(field: string): Node | undefined {
    return this.pair(field)?.value;
  }

  /** Below maps; undefined where a step is missing or stands in no map. */
  at(...path: readonly string[]): Node | undefined {
    const [field, ...rest] = path;
    return field === undefined ? this : this.get(field)?.at(...rest);
  }

  /** A scalar's text below maps; empty where there is none. */
  textAt(...path: readonly string[]): string {
    const node = this.at(...path);
    return node === undefined || node.isNull ? "" : node.text;
  }

  /** Sets a field; one that is there keeps the form in which its scalar is written. */
  set(field: string, value: Node): void {
    guardStyle(value);
    const pair = this.pair(field);
    if (pair === undefined) this.pairs.push({ key: Node.text(field), value });
    else {
      value.style = pair.value.style;
      pair.value.become(value);
    }
  }

  /** The same for a text of which nobody says the type. */
  setText(field: string, text: string): void {
    this.set(field, Node.scalar(text));
  }

  /** A scalar's new text, in the form that the old one had. */
  write(text: string, tag = ""): void {
    this.kind = "scalar";
    this.text = text;
    this.tag = tag;
  }

  remove(field: string): void {
    const at = this.pairs.findIndex(({ key }) => key.text === field);
    if (at >= 0) this.pairs.splice(at, 1);
  }
}

const NO_PAIRS: Pair[] = [];
const NO_ITEMS: Node[] = [];

/** Quotes a text that would read as something else. */
export function guardStyle(value: Node): void {
  if (value.kind !== "scalar" || value.style !== "plain" || (value.tag !== STR && value.tag !== "")) return;
  if (isNonString(value.text)) value.style = "double";
}

/** Neither missing nor null. */
export const isThere = (node: Node | undefined): node is Node => node !== undefined && !node.isNull;
