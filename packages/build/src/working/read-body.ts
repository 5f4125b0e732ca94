import { InvalidArgument, Unsupported } from "@boxship/base";

/** Reads one value; `where` names it for messages. */
export type Read<T> = (value: unknown, where: string) => T;

function wrong(where: string, wanted: string): InvalidArgument {
  return new InvalidArgument(`${where} has to be ${wanted}`);
}

export const text: Read<string> = (value, where) => {
  if (typeof value !== "string" || value.includes("\0")) throw wrong(where, "a text without NUL bytes");
  return value;
};

export const flag: Read<boolean> = (value, where) => {
  if (typeof value !== "boolean") throw wrong(where, "true or false");
  return value;
};

export const whole: Read<number> = (value, where) => {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw wrong(where, "a whole number");
  return value;
};

export function list<T>(read: Read<T>): Read<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw wrong(where, "a list");
    return value.map((item, index) => read(item, `${where}[${index}]`));
  };
}

export function map<T>(read: Read<T>): Read<Readonly<Record<string, T>>> {
  return (value, where) => {
    const entries = Object.entries(objectOf(value, where));
    return Object.fromEntries(entries.map(([key, item]) => [key, read(item, `${where}[${JSON.stringify(key)}]`)]));
  };
}

export function oneOf<const T extends string | boolean | null>(...choices: readonly T[]): Read<T> {
  return (value, where) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw wrong(where, `one of ${choices.join(", ")}`);
    return found;
  };
}

export const textOrNull: Read<string | null> = (value, where) => (value === null ? null : text(value, where));

/** Reads an object's fields; those that are absent stay absent. @throws Unsupported for one that is not known */
export function object<T extends object>(fields: { readonly [K in keyof T]-?: Read<NonNullable<T[K]>> }): Read<T> {
  const readers = new Map<string, Read<unknown>>(Object.entries(fields));
  return (value, where) => {
    const entries = Object.entries(objectOf(value, where)).map(([key, item]) => {
      const read = readers.get(key);
      if (read === undefined) throw new Unsupported(`${where}.${key} is not known`);
      return [key, read(item, `${where}.${key}`)] as const;
    });
    return Object.fromEntries(entries) as T;
  };
}

function objectOf(value: unknown, where: string): object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(where, "an object");
  return value;
}
