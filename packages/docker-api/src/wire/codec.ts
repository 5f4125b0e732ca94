import { InvalidArgument, Unsupported } from "@boxship/base";

/**
 * Two-way codecs between Docker's JSON and the engine's values. Reading is as Go's decoder does it for the real
 * daemon: names match whatever their case, unknown ones are passed over, null is the zero value, and a value of the
 * wrong type is an error that names the field.
 */
export interface Codec<T> {
  /** Go's name of the type, for messages. */
  readonly type: string;
  /** @param value not null and not undefined */
  decode(value: unknown, at: Place, context: DecodeContext): T;
  encode(value: T, version: number): unknown;
}

/** The field that a value stands in, for messages. */
export interface Place {
  readonly struct: string;
  readonly field: string;
}

export interface DecodeContext {
  /** Minor version that the client speaks. */
  readonly version: number;
  /** Collects what is accepted without effect, as sentences for the user. */
  readonly warnings: string[];
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

function mismatch(value: unknown, at: Place, type: string, shown = kindOf(value)): InvalidArgument {
  const where = at.field === "" ? "value" : `struct field ${at.struct}.${at.field}`;
  return new InvalidArgument(`invalid JSON: json: cannot unmarshal ${shown} into Go ${where} of type ${type}`);
}

/** What the kernel takes as the end of a text would cut a path or an argument short without a word. */
function withoutNul(text: string, at: Place): string {
  if (!text.includes("\0")) return text;
  const name = at.field === "" ? at.struct : `${at.struct}.${at.field}`;
  throw new InvalidArgument(`invalid ${name}: ${JSON.stringify(text)} contains a NUL byte`);
}

export const string: Codec<string> = {
  type: "string",
  decode(value, at) {
    if (typeof value !== "string") throw mismatch(value, at, "string");
    return withoutNul(value, at);
  },
  encode: (value) => value,
};

export const boolean: Codec<boolean> = {
  type: "bool",
  decode(value, at) {
    if (typeof value !== "boolean") throw mismatch(value, at, "bool");
    return value;
  },
  encode: (value) => value,
};

/** A whole number; Go refuses fractions and exponents that leave one. */
export function integer(type: "int" | "int64" | "uint16" | "uint32" | "uint64" = "int64"): Codec<number> {
  const unsigned = type.startsWith("u");
  const limit = { int: 2 ** 63, int64: 2 ** 63, uint16: 2 ** 16, uint32: 2 ** 32, uint64: 2 ** 64 }[type];
  return {
    type,
    decode(value, at) {
      if (typeof value !== "number") throw mismatch(value, at, type);
      // The body's reader has made the largest numbers that fit a little smaller, see `readJson`.
      if (!Number.isInteger(value) || value >= limit || value < (unsigned ? 0 : -limit)) {
        throw mismatch(value, at, type, `number ${value}`);
      }
      return value;
    },
    encode: (value) => value,
  };
}

/** Nanoseconds on the wire, milliseconds inside. */
export const duration: Codec<number> = {
  type: "time.Duration",
  decode: (value, at, context) => integer("int64").decode(value, at, context) / 1e6,
  encode: (value) => Math.round(value * 1e6),
};

export function list<T>(item: Codec<T>): Codec<readonly T[]> {
  const type = `[]${item.type}`;
  return {
    type,
    decode(value, at, context) {
      if (!Array.isArray(value)) throw mismatch(value, at, type);
      return value.map((entry) => {
        if (entry === null) throw new InvalidArgument(`invalid JSON: null in the list ${at.struct}.${at.field}`);
        return item.decode(entry, at, context);
      });
    },
    encode: (value, version) => value.map((entry) => item.encode(entry, version)),
  };
}

function zeroOf<T>(codec: Codec<T>, at: Place, context: DecodeContext): T {
  if (codec.type === "string") return codec.decode("", at, context);
  throw new InvalidArgument(`invalid JSON: null in the map ${at.struct}.${at.field}`);
}

/** A list that may also be written as one string, as commands were in Docker's first versions. */
export const strings: Codec<readonly string[]> = list(string);

export const stringOrStrings: Codec<readonly string[]> = {
  type: "string",
  decode(value, at, context) {
    if (typeof value === "string") return [value];
    return strings.decode(value, { ...at }, context);
  },
  encode: (value) => value,
};

export function map<T>(item: Codec<T>): Codec<Readonly<Record<string, T>>> {
  const type = `map[string]${item.type}`;
  return {
    type,
    decode(value, at, context) {
      if (!isObject(value)) throw mismatch(value, at, type);
      return Object.fromEntries(
        Object.entries(value).map(([key, entry]) => [
          withoutNul(key, at),
          entry === null ? zeroOf(item, at, context) : item.decode(entry, at, context),
        ]),
      );
    },
    encode: (value, version) =>
      Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, item.encode(entry, version)])),
  };
}

/** Go's `map[string]struct{}`: a set of names. */
export const set: Codec<readonly string[]> = {
  type: "map[string]struct {}",
  decode(value, at) {
    if (!isObject(value)) throw mismatch(value, at, "map[string]struct {}");
    for (const entry of Object.values(value)) {
      if (entry !== null && !isObject(entry)) throw mismatch(entry, at, "struct {}");
    }
    return Object.keys(value).map((key) => withoutNul(key, at));
  },
  encode: (value) => Object.fromEntries(value.map((name) => [name, {}])),
};

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** How one field of an object stands on the wire. */
export interface Field<T> {
  readonly wire: string;
  readonly codec: Codec<T>;
  /** What is written when the value is absent. @default nothing */
  readonly zero?: unknown;
  /** What an absent field reads as, for values that are required inside. */
  readonly absent?: T;
  /** Keep "", 0 and empty collections as they are; otherwise they read as absent. @default false */
  readonly keepZero?: boolean;
  /** An empty string on the wire reads as absent, in fields whose type has no empty value. @default false */
  readonly blank?: boolean;
  /** First and last minor version that has the field; others pass over it. */
  readonly since?: number;
  readonly until?: number;
}

export type Fields<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> };

export function field<T>(wire: string, codec: Codec<T>, options: Omit<Field<T>, "wire" | "codec"> = {}): Field<T> {
  return { wire, codec, ...options };
}

/** A field that we cannot honour: refused by name unless it says nothing, or (with `warn`) accepted with a warning. */
export interface RefusedField {
  readonly wire: string;
  readonly reason: string;
  readonly warn?: boolean;
  /** Values that mean nothing, next to the zero values. */
  readonly harmless?: readonly unknown[];
}

interface Slot<T> {
  readonly key: keyof T & string;
  readonly spec: Field<unknown>;
  readonly at: Place;
}

/** An object; `type` is its name in messages. */
export function object<T extends object>(
  type: string,
  fields: Fields<T>,
  refused: readonly RefusedField[] = [],
): Codec<T> {
  const slots = (Object.keys(fields) as (keyof T & string)[]).map(
    (key): Slot<T> => ({ key, spec: fields[key] as Field<unknown>, at: { struct: type, field: fields[key].wire } }),
  );
  const byName = new Map<string, Slot<T> | RefusedField>();
  for (const entry of [
    ...slots.map((slot) => [slot.spec.wire, slot] as const),
    ...refused.map((r) => [r.wire, r] as const),
  ]) {
    byName.set(entry[0], entry[1]).set(entry[0].toLowerCase(), entry[1]);
  }
  const required = slots.filter((slot) => slot.spec.absent !== undefined);
  return {
    type,
    decode(value, at, context) {
      if (!isObject(value)) throw mismatch(value, at, type);
      const result: Record<string, unknown> = {};
      for (const name of Object.keys(value)) {
        const raw = value[name];
        const slot = byName.get(name) ?? byName.get(name.toLowerCase());
        if (slot === undefined || raw === null || raw === undefined) continue;
        if ("reason" in slot) refuse(slot, type, raw, context);
        else readField(slot, raw, context, result);
      }
      for (const slot of required) result[slot.key] ??= slot.spec.absent;
      return result as T;
    },
    encode(value, version) {
      const result: Record<string, unknown> = {};
      for (const { key, spec } of slots) {
        if (!inVersion(spec, version)) continue;
        const inner = value[key];
        const written = inner === undefined ? spec.zero : spec.codec.encode(inner, version);
        if (written !== undefined) result[spec.wire] = written;
      }
      return result;
    },
  };
}

function readField<T>(slot: Slot<T>, raw: unknown, context: DecodeContext, result: Record<string, unknown>): void {
  const { spec } = slot;
  if (!inVersion(spec, context.version) || (raw === "" && spec.blank === true)) return;
  const value = spec.codec.decode(raw, slot.at, context);
  if (spec.keepZero === true || !isZero(value)) result[slot.key] = value;
}

function inVersion(spec: Field<unknown>, version: number): boolean {
  return (spec.since === undefined || version >= spec.since) && (spec.until === undefined || version <= spec.until);
}

function refuse(spec: RefusedField, type: string, raw: unknown, context: DecodeContext): void {
  if (isZero(raw) || raw === false || spec.harmless?.includes(raw) === true) return;
  const sentence = `${type}.${spec.wire} is not supported: ${spec.reason}`;
  if (spec.warn !== true) throw new Unsupported(sentence);
  context.warnings.push(sentence);
}

/** "", 0, and empty collections; false is a value. */
export function isZero(value: unknown): boolean {
  if (value === "" || value === 0 || value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** Reads a whole body. An absent or null one is the empty object. */
export function decodeBody<T>(codec: Codec<T>, body: unknown, context: DecodeContext): T {
  return codec.decode(body ?? {}, { struct: codec.type, field: "" }, context);
}

/** Two codecs for one JSON object, as Go's embedded structs have it. */
export function split<A extends object, B extends object>(
  first: Codec<A>,
  second: Codec<B>,
): {
  decode(value: unknown, at: Place, context: DecodeContext): readonly [A, B];
  encode(a: A, b: B, version: number): Record<string, unknown>;
} {
  return {
    decode: (value, at, context) => [first.decode(value, at, context), second.decode(value, at, context)],
    encode: (a, b, version) => ({ ...(first.encode(a, version) as object), ...(second.encode(b, version) as object) }),
  };
}
