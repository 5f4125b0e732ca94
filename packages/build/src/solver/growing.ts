/**
 * What a stage's instructions add to, one after the other: arguments, labels, history. Copying all of it for every
 * instruction takes the square of their number, so that what this made is added to in place. A stage begins with copies of
 * what it gets from another one ({@link ownCopy}); no state is looked at when there is one after it.
 */
const growing = new WeakSet<object>();

/** A list with one more entry. */
export function withEntry<T>(list: readonly T[], entry: T): readonly T[] {
  const own = growing.has(list) ? (list as T[]) : mine([...list]);
  own.push(entry);
  return own;
}

/** A map in which some names have other values; those that are there keep their place. */
export function withValues<T>(
  map: ReadonlyMap<string, T>,
  values: Iterable<readonly [string, T]>,
): ReadonlyMap<string, T> {
  const own = growing.has(map) ? (map as Map<string, T>) : mine(new Map(map));
  for (const [name, value] of values) own.set(name, value);
  return own;
}

/** An object in which some fields have other values, whatever they are called. */
export function withFields<T>(
  fields: Readonly<Record<string, T>> | undefined,
  values: Iterable<readonly [string, T]>,
): Readonly<Record<string, T>> {
  const own = fields !== undefined && growing.has(fields) ? fields : mine({ ...fields });
  for (const [name, value] of values) {
    Object.defineProperty(own, name, { value, configurable: true, enumerable: true, writable: true });
  }
  return own;
}

/** Where the variables of lists that grow stand. */
const places = new WeakMap<readonly string[], Map<string, number>>();

/** `NAME=value` entries with a variable set: in its places, of which an image may have several, or at the end. */
export function withVariable(entries: readonly string[] = [], name: string, value: string): readonly string[] {
  const own = growing.has(entries) ? (entries as string[]) : mine([...entries]);
  const known = placesOf(own);
  const place = known.get(name);
  if (place !== undefined && known.size < own.length) {
    for (const [index, entry] of own.entries()) if (entry.split("=", 1)[0] === name) own[index] = `${name}=${value}`;
  }
  known.set(name, place ?? own.length);
  own[place ?? own.length] = `${name}=${value}`;
  return own;
}

/** The value of a variable in a list that grows; of several of one name the last. */
export function variableIn(entries: readonly string[], name: string): string | undefined {
  const place = placesOf(entries).get(name);
  const entry = place === undefined ? undefined : entries[place];
  if (entry === undefined) return undefined;
  return entry.includes("=") ? entry.slice(entry.indexOf("=") + 1) : "";
}

function placesOf(entries: readonly string[]): Map<string, number> {
  const known = places.get(entries) ?? new Map(entries.map((entry, index) => [entry.split("=", 1)[0] ?? "", index]));
  places.set(entries, known);
  return known;
}

interface Copied {
  readonly history: readonly unknown[];
  readonly config: { readonly Labels?: Readonly<Record<string, unknown>>; readonly Env?: readonly string[] };
}

/** What another stage made, for one that goes on from there. */
export function ownCopy<T extends Copied>(state: T): T {
  const { Labels, Env } = state.config;
  const config = {
    ...state.config,
    ...(Labels === undefined ? {} : { Labels: { ...Labels } }),
    ...(Env === undefined ? {} : { Env: [...Env] }),
  };
  return { ...state, config, history: [...state.history] };
}

function mine<T extends object>(value: T): T {
  growing.add(value);
  return value;
}
