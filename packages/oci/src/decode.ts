import { countMembers, InvalidArgument } from "@boxship/base";

/**
 * A value inside an untrusted JSON document, with the path that errors name. Absent and `null` are the same thing, as in
 * Go's decoder, which wrote most documents out there.
 */
export class Field {
  readonly #document: string;
  readonly #path: string;
  readonly #value: unknown;

  private constructor(document: string, path: string, value: unknown) {
    this.#document = document;
    this.#path = path;
    this.#value = value;
  }

  /**
   * @param document what the bytes are, for errors: `image manifest sha256:…`
   * @param limit most bytes that are looked at
   * @throws InvalidArgument for bytes that are too many, no UTF-8 or no JSON
   */
  static parse(document: string, bytes: Uint8Array, limit: number): Field {
    if (bytes.byteLength > limit) {
      throw new InvalidArgument(`${document} is too large: ${bytes.byteLength} bytes where ${limit} are allowed`);
    }
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (error) {
      throw new InvalidArgument(`${document} is not JSON`, { cause: error });
    }
    return new Field(document, "", value);
  }

  fail(problem: string): InvalidArgument {
    const where = this.#path === "" ? "" : `${this.#path}: `;
    return new InvalidArgument(`${this.#document} is malformed: ${where}${problem}`);
  }

  /** How many keys the objects in it have. */
  get members(): number {
    return countMembers(this.#value);
  }

  get present(): boolean {
    return this.#value !== undefined && this.#value !== null;
  }

  /** A member of an object; an absent member is a field that is not {@link present}. */
  get(key: string): Field {
    const object = this.object();
    const value = Object.hasOwn(object, key) ? object[key] : undefined;
    return new Field(this.#document, this.#path === "" ? key : `${this.#path}.${key}`, value);
  }

  /** `read` applied to the field, or undefined if it is absent. */
  optional<T>(read: (field: Field) => T): T | undefined {
    return this.present ? read(this) : undefined;
  }

  object(): Readonly<Record<string, unknown>> {
    if (typeof this.#value !== "object" || this.#value === null || Array.isArray(this.#value)) {
      throw this.fail("expected an object");
    }
    return this.#value as Record<string, unknown>;
  }

  string(): string {
    if (typeof this.#value !== "string") throw this.fail("expected a string");
    return this.#value;
  }

  boolean(): boolean {
    if (typeof this.#value !== "boolean") throw this.fail("expected true or false");
    return this.#value;
  }

  /** A whole number that a double holds exactly, not below `minimum`. */
  integer(minimum = 0): number {
    const value = this.#value;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < minimum) {
      throw this.fail(`expected a whole number of at least ${minimum}`);
    }
    return value;
  }

  array<T>(read: (item: Field) => T): readonly T[] {
    if (!Array.isArray(this.#value)) throw this.fail("expected a list");
    return this.#value.map((item, index) => read(new Field(this.#document, `${this.#path}[${index}]`, item)));
  }

  /** An object with free keys. */
  record<T>(read: (value: Field) => T): Readonly<Record<string, T>> {
    const entries = Object.keys(this.object()).map((key) => [key, read(this.get(key))] as const);
    return Object.fromEntries(entries);
  }

  /** A list of strings; a single string counts as a list of one. */
  stringOrStrings(): readonly string[] {
    return typeof this.#value === "string" ? [this.#value] : this.strings();
  }

  strings(): readonly string[] {
    return this.array((item) => item.string());
  }

  /** An object of strings, as it was parsed: a copy of tens of thousands takes a part of a second. */
  stringRecord(): Readonly<Record<string, string>> {
    const object = this.object();
    for (const key of Object.keys(object))
      if (typeof object[key] !== "string") throw this.get(key).fail("expected a string");
    return object as Readonly<Record<string, string>>;
  }
}

/** An object without its undefined members, so that absent stays absent when it is written again. */
export function compact<T extends object>(object: T): Compact<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Compact<T>;
}

type OptionalKeys<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];
type Compact<T> = Omit<T, OptionalKeys<T>> & { [K in OptionalKeys<T>]?: Exclude<T[K], undefined> };
