import { InvalidArgument } from "@boxship/base";
import { RecordedQuery, text } from "./query.ts";

/**
 * The `filters` parameter of lists, prunes and events: a JSON object of key to values, either as lists (`{"label":
 * ["a"]}`) or as sets (`{"label": {"a": true}}`), which is what newer clients send.
 */
export class Filters {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  /** @param accepted the keys that the endpoint knows; any other is refused by name */
  static from(query: URLSearchParams, accepted: readonly string[]): Filters {
    if (query instanceof RecordedQuery) query.filters = accepted;
    const raw = text(query, "filters");
    if (raw === undefined) return NO_FILTERS;
    const values = parse(raw);
    for (const key of values.keys()) {
      if (!accepted.includes(key)) throw new InvalidArgument(`invalid filter '${key}'`);
    }
    return new Filters(values);
  }

  /** The same filters and one more value. */
  with(key: string, value: string): Filters {
    return new Filters(new Map(this.#values).set(key, [...this.get(key), value]));
  }

  get isEmpty(): boolean {
    return this.#values.size === 0;
  }

  has(key: string): boolean {
    return (this.#values.get(key)?.length ?? 0) > 0;
  }

  get(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }

  /** True without such a filter, or when one of its values passes. */
  any(key: string, test: (value: string) => boolean): boolean {
    const values = this.get(key);
    return values.length === 0 || values.some(test);
  }

  /** A filter that takes one truth value; undefined when it is not there. */
  flag(key: string): boolean | undefined {
    const values = this.get(key);
    if (values.length === 0) return undefined;
    const yes = values.some((value) => /^(1|t|true)$/i.test(value));
    const no = values.some((value) => /^(0|f|false)$/i.test(value));
    if (yes === no) throw new InvalidArgument(`invalid filter '${key}=[${values.join(" ")}]'`);
    return yes;
  }

  /** Labels must all be there (`label`), and none of the unwanted ones (`label!`). */
  labels(labels: Readonly<Record<string, string>>): boolean {
    return (
      this.get("label").every((wanted) => hasLabel(labels, wanted)) &&
      !this.get("label!").some((unwanted) => hasLabel(labels, unwanted))
    );
  }
}

export const NO_FILTERS = new Filters(new Map());

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(equals + 1);
}

function parse(raw: string): ReadonlyMap<string, readonly string[]> {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch (cause) {
    throw new InvalidArgument("invalid filters: not JSON", { cause });
  }
  if (value === null) return new Map();
  if (typeof value !== "object" || Array.isArray(value))
    throw new InvalidArgument("invalid filters: not a JSON object");
  return new Map(Object.entries(value).map(([key, entry]) => [key, valuesOf(key, entry)]));
}

function valuesOf(key: string, entry: unknown): readonly string[] {
  if (entry === null) return [];
  if (Array.isArray(entry) && entry.every((item) => typeof item === "string")) return entry;
  if (typeof entry === "object" && !Array.isArray(entry)) {
    const pairs = Object.entries(entry);
    if (pairs.every(([, on]) => typeof on === "boolean")) return pairs.filter(([, on]) => on).map(([value]) => value);
  }
  throw new InvalidArgument(`invalid filter '${key}': its values must be a list of strings or a set`);
}
