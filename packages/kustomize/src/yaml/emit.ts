import { isPlainText } from "@boxship/api/yaml";
import { type Node, type Pair, STR } from "./node.ts";
import { resolveScalar } from "./resolve-scalar.ts";

/** A tree as a document: fields in their order, scalars in the form in which they were written. Without comments. */
export function emitYaml(node: Node): string {
  const writer = new Writer();
  writer.root(node);
  return writer.text;
}

/** In which line of {@link emitYaml}'s text, from 1, each field stands. */
export function fieldLines(node: Node): ReadonlyMap<Pair, number> {
  const writer = new Writer();
  writer.root(node);
  return writer.lines;
}

class Writer {
  text = "";
  readonly lines = new Map<Pair, number>();
  #line = 1;

  #put(text: string): void {
    this.text += text;
    for (const sign of text) if (sign === "\n") this.#line++;
  }

  root(node: Node): void {
    if (isBlock(node) && node.kind === "mapping") this.#mapping(node, 0);
    else if (isBlock(node)) this.#sequence(node, 0);
    else this.#put(`${leaf(node, 0)}\n`);
  }

  #mapping(node: Node, indent: number, first = false): void {
    let isFirst = first;
    for (const pair of node.pairs) {
      if (!isFirst) this.#put(" ".repeat(indent));
      isFirst = false;
      this.lines.set(pair, this.#line);
      this.#put(`${scalarText(pair.key, 0)}:`);
      const { value } = pair;
      if (isBlock(value) && value.kind === "mapping") {
        this.#put("\n");
        this.#mapping(value, indent + 2);
      } else if (isBlock(value)) {
        this.#put("\n");
        this.#sequence(value, indent);
      } else {
        const text = leaf(value, indent + 2);
        this.#put(text === "" ? "\n" : ` ${text}\n`);
      }
    }
  }

  #sequence(node: Node, indent: number, first = false): void {
    let isFirst = first;
    for (const item of node.items) {
      if (!isFirst) this.#put(" ".repeat(indent));
      isFirst = false;
      this.#put("- ");
      if (isBlock(item) && item.kind === "mapping") this.#mapping(item, indent + 2, true);
      else if (isBlock(item)) this.#sequence(item, indent + 2, true);
      else this.#put(`${leaf(item, indent + 2)}\n`);
    }
  }
}

/** A map or list that takes lines of its own. */
const isBlock = ({ kind, flow, pairs, items }: Node): boolean =>
  kind !== "scalar" && !flow && (kind === "mapping" ? pairs : items).length > 0;

function leaf(node: Node, indent: number): string {
  if (node.kind === "scalar") return scalarText(node, indent);
  if (node.kind === "sequence") return `[${node.items.map((item) => leaf(item, indent)).join(", ")}]`;
  return `{${node.pairs.map(({ key, value }) => `${scalarText(key, 0)}: ${leaf(value, indent)}`).join(", ")}}`;
}

function scalarText(node: Node, indent: number): string {
  const { text, tag, style } = node;
  const isText = tag === STR || tag === "";
  if (style === "single" && !text.includes("\n")) return `'${text.replaceAll("'", "''")}'`;
  if (style === "double") return JSON.stringify(text);
  if (text.includes("\n")) return literal(text, indent);
  if (tag === STR && resolveScalar(text).tag !== STR) return JSON.stringify(text);
  return isText && !isPlain(text) ? `'${text.replaceAll("'", "''")}'` : text;
}

/** Whether signs of the text mean nothing when it stands alone. */
function isPlain(text: string): boolean {
  if (text === "" || /^[\s,[\]{}#&*!|>'"%@`]|^[-?:](\s|$)|:(\s|$)|\s#|\s$|^(---|\.\.\.)/.test(text)) return false;
  return isPlainText(text) || resolveScalar(text).tag !== STR || /^[A-Za-z~]+$/.test(text);
}

function literal(text: string, indent: number): string {
  const end = text.endsWith("\n\n") || text === "\n" ? "+" : text.endsWith("\n") ? "" : "-";
  const lines = (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
  const lead = /^[ \n]/.test(text) ? "2" : "";
  return `|${lead}${end}${lines.map((line) => `\n${line === "" ? "" : " ".repeat(indent)}${line}`).join("")}`;
}
