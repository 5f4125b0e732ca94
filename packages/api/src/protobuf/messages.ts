import table from "../tables/protobuf.json" with { type: "json" };

/**
 * Field numbers of built-in messages, a line each: `number:name:type`. Types: `s` string, `b` boolean, `i` integer, `d`
 * double, `y` bytes, `#x` the message x, `[]x` repeated, `{}x` a map with text as keys. `*` for a name: its fields
 * stand in the message around it. `?` after the type: Go has a pointer there, so that a zero is another thing than nothing.
 */
const lines: Readonly<Record<string, string>> = table;

export interface MessageField {
  readonly number: number;
  readonly name: string;
  readonly kind: "one" | "list" | "map";
  readonly type: string;
  /** Whether a zero says something: of others nothing on the wire tells it from what is not set. */
  readonly optional: boolean;
  /** The message that it is of; undefined for plain values. */
  readonly message?: string;
}

/** A built-in message. */
export interface Message {
  readonly byNumber: ReadonlyMap<number, MessageField>;
  /** The last one first. */
  readonly reversed: readonly MessageField[];
}

/** What every body in Kubernetes' protobuf encoding begins with. */
export const MAGIC = Buffer.from("k8s\0");

const messages = new Map<string, Message>();

/** @returns a message without fields for a name that is in no table */
export function messageOf(name: string): Message {
  let message = messages.get(name);
  if (message !== undefined) return message;
  const fields = (lines[name] ?? "")
    .split(" ")
    .filter((word) => word !== "")
    .map(parseField);
  message = {
    byNumber: new Map(fields.map((field) => [field.number, field])),
    reversed: fields.toSorted((a, b) => b.number - a.number),
  };
  messages.set(name, message);
  return message;
}

export const isMessage = (name: string): boolean => Object.hasOwn(lines, name);

function parseField(word: string): MessageField {
  const [number = "", name = "", marked = ""] = word.split(":");
  const optional = marked.endsWith("?");
  const text = optional ? marked.slice(0, -1) : marked;
  const kind = text.startsWith("[]") ? "list" : text.startsWith("{}") ? "map" : "one";
  const type = kind === "one" ? text : text.slice(2);
  const message = type.startsWith("#") ? { message: type.slice(1) } : {};
  return { number: Number(number), name, kind, type, optional, ...message };
}
