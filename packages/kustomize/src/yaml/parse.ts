import { errorMessage } from "@boxship/base";
import { COLLECTION_STYLE, EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE } from "js-yaml";
import { BuildFailure } from "../failure.ts";
import { MERGE, Node, NULL, STR, type Style } from "./node.ts";
import { type Resolved, resolveScalar } from "./resolve-scalar.ts";
import { syntaxProblem } from "./syntax-problem.ts";

/** Values that one document may have, those that aliases repeat counted each time. */
const MOST_VALUES = 500_000;
const DEEPEST = 1000;

const STYLES: Readonly<Record<number, Style>> = {
  [SCALAR_STYLE.PLAIN]: "plain",
  [SCALAR_STYLE.SINGLE_QUOTED]: "single",
  [SCALAR_STYLE.DOUBLE_QUOTED]: "double",
  [SCALAR_STYLE.LITERAL_BLOCK]: "literal",
  [SCALAR_STYLE.FOLDED_BLOCK]: "folded",
};

/**
 * The first document of a text; aliases and merges are resolved.
 *
 * @param resolve what scalars without quotes are
 * @returns undefined for a text without a document
 * @throws BuildFailure `yaml: line N: …`
 */
export function parseYaml(text: string, resolve: (text: string) => Resolved = resolveScalar): Node | undefined {
  let events: Event[];
  try {
    events = parseEvents(text, { maxDepth: DEEPEST });
  } catch (error) {
    const { mark } = error as { mark?: { line: number; column: number } };
    throw new BuildFailure(syntaxProblem(text, errorMessage(error), mark));
  }
  if (events.length === 0) return undefined;
  return new Builder(text, events, resolve).document();
}

class Builder {
  readonly #source: string;
  readonly #events: readonly Event[];
  readonly #resolve: (text: string) => Resolved;
  readonly #anchors = new Map<string, Node>();
  #at = 0;
  #values = 0;

  constructor(source: string, events: readonly Event[], resolve: (text: string) => Resolved) {
    this.#source = source;
    this.#events = events;
    this.#resolve = resolve;
  }

  document(): Node | undefined {
    const first = this.#events[this.#at++];
    if (first?.type !== EVENT_ID.DOCUMENT) return undefined;
    const next = this.#events[this.#at];
    if (next === undefined || next.type === EVENT_ID.POP) return undefined;
    return this.#node();
  }

  #count(by = 1): void {
    this.#values += by;
    if (this.#values > MOST_VALUES) throw new BuildFailure("yaml: document contains excessive aliasing");
  }

  #node(): Node {
    const event = this.#events[this.#at++];
    if (event === undefined) throw new BuildFailure("yaml: unexpected end of the document");
    if (event.type === EVENT_ID.ALIAS) {
      const name = this.#source.slice(event.anchorStart, event.anchorEnd);
      const node = this.#anchors.get(name);
      if (node === undefined) throw new BuildFailure(`yaml: unknown anchor '${name}' referenced`);
      this.#count(sizeOf(node));
      return node.copy();
    }
    this.#count();
    if (event.type !== EVENT_ID.SCALAR && event.type !== EVENT_ID.MAPPING && event.type !== EVENT_ID.SEQUENCE) {
      throw new BuildFailure("yaml: a value was expected");
    }
    const node =
      event.type === EVENT_ID.SCALAR
        ? this.#scalar(event)
        : event.type === EVENT_ID.MAPPING
          ? this.#mapping()
          : this.#sequence();
    node.flow = event.type !== EVENT_ID.SCALAR && event.style === COLLECTION_STYLE.FLOW;
    if (event.anchorStart >= 0) this.#anchors.set(this.#source.slice(event.anchorStart, event.anchorEnd), node);
    return node;
  }

  #scalar(event: Extract<Event, { type: typeof EVENT_ID.SCALAR }>): Node {
    const text = event.valueStart < 0 ? "" : getScalarValue(this.#source, event);
    const style = STYLES[event.style] ?? "plain";
    const tag = event.tagStart < 0 ? "" : shortTag(this.#source.slice(event.tagStart, event.tagEnd));
    if (tag !== "" && tag !== "!") return Node.scalar(text, tag, style);
    return Node.scalar(text, style === "plain" && tag === "" ? this.#resolve(text).tag : STR, style);
  }

  #sequence(): Node {
    const items: Node[] = [];
    while (this.#events[this.#at]?.type !== EVENT_ID.POP) items.push(this.#node());
    this.#at++;
    return Node.sequence(items);
  }

  #mapping(): Node {
    const mapping = Node.mapping();
    const merged: Node[] = [];
    while (this.#events[this.#at]?.type !== EVENT_ID.POP) {
      const key = this.#node();
      if (key.kind !== "scalar") throw new BuildFailure("yaml: invalid map key");
      const value = this.#node();
      if (key.tag === MERGE && key.style === "plain") merged.push(...mergeSources(value));
      else mapping.pairs.push({ key, value });
    }
    this.#at++;
    if (merged.length > 0) merge(mapping, merged);
    return mapping;
  }
}

function sizeOf(node: Node): number {
  let size = 1;
  for (const { value } of node.pairs) size += sizeOf(value);
  for (const item of node.items) size += sizeOf(item);
  return size;
}

function shortTag(tag: string): string {
  const long = /^!<tag:yaml\.org,2002:(.*)>$/.exec(tag);
  return long === null ? tag : `!!${long[1]}`;
}

function mergeSources(value: Node): readonly Node[] {
  if (value.kind === "mapping") return [value];
  if (value.kind === "sequence") {
    if (value.items.some(({ kind }) => kind === "sequence")) {
      throw new BuildFailure("invalid map merge: received a nested sequence");
    }
    return value.items.flatMap((item) => mergeSources(item));
  }
  throw new BuildFailure("map merge requires map or sequence of maps as the value");
}

/** Own fields win over merged ones, earlier sources over later ones. */
function merge(mapping: Node, sources: readonly Node[]): void {
  for (const source of sources) {
    for (const { key, value } of source.pairs) {
      if (mapping.pair(key.text) === undefined) mapping.pairs.push({ key, value: value.copy() });
    }
  }
}

/** The documents of a file; `---` on a line of its own separates them, empty ones are left out. */
export function splitDocuments(text: string): readonly string[] {
  const unified = text.replaceAll("\r\n", "\n");
  const documents: string[] = [];
  let from = 0;
  for (const match of unified.matchAll(/\n---.*\n/g)) {
    // A separator's last line break can be another's first.
    if (match.index < from) continue;
    const rest = match[0].slice(4).trim();
    if (rest !== "" && !rest.startsWith("#")) throw new BuildFailure(`invalid document separator: ${match[0].trim()}`);
    documents.push(`${unified.slice(from, match.index)}\n`);
    from = match.index + match[0].length;
  }
  documents.push(unified.slice(from));
  return documents;
}

export const isNullNode = (node: Node | undefined): boolean => node === undefined || node.tag === NULL;
