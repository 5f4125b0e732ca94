import { closest, type Place, refuse } from "./source.ts";

/** What a flag of an instruction may be: with a value, several times with values, or without (then `=true` is allowed). */
export type FlagKind = "value" | "values" | "boolean";

/** Flags that were given, and the rest of the line. */
export interface GivenFlags {
  readonly rest: string;
  value(name: string): string | undefined;
  values(name: string): readonly string[];
  boolean(name: string): boolean | undefined;
}

/** Reads the `--flag=value`s at the beginning of an instruction. */
export function readFlags(
  keyword: string,
  text: string,
  known: Readonly<Record<string, FlagKind>>,
  escape: "\\" | "`",
  place: Place,
): GivenFlags {
  const given = new Map<string, string[]>();
  let rest = text;
  while (rest.startsWith("--")) {
    const word = firstWord(rest, escape);
    rest = rest.slice(word.length).trimStart();
    if (word === "--") break;
    const equals = word.indexOf("=");
    const name = equals === -1 ? word.slice(2) : word.slice(2, equals);
    const value = equals === -1 ? undefined : unquote(word.slice(equals + 1));
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw unknownFlag(keyword, name, Object.keys(known), place);
    if (kind !== "values" && given.has(name)) {
      refuse(place, `duplicate flag specified: --${name}`, `give --${name} to ${keyword} only once`);
    }
    given.set(name, [...(given.get(name) ?? []), checked(name, value, kind, place)]);
  }
  return {
    rest,
    value: (name) => given.get(name)?.[0],
    values: (name) => given.get(name) ?? [],
    boolean: (name) => (given.has(name) ? given.get(name)?.[0] === "true" : undefined),
  };
}

function unknownFlag(keyword: string, name: string, known: readonly string[], place: Place): never {
  const meant = closest(name, known);
  const list = known.map((flag) => `--${flag}`).join(", ");
  const remedy =
    meant === undefined
      ? known.length === 0
        ? `${keyword} takes no flags`
        : `${keyword} takes ${list}`
      : `did you mean --${meant}?`;
  return refuse(place, `unknown flag: --${name}`, remedy);
}

function checked(name: string, value: string | undefined, kind: FlagKind, place: Place): string {
  if (kind !== "boolean") {
    if (value === undefined) refuse(place, `missing a value on flag: --${name}`, `write --${name}=VALUE`);
    return value;
  }
  const text = (value ?? "true").toLowerCase();
  if (text === "true" || text === "1") return "true";
  if (text === "false" || text === "0") return "false";
  return refuse(
    place,
    `expecting boolean value for flag --${name}, not: ${value}`,
    `write --${name} or --${name}=false`,
  );
}

function firstWord(text: string, escape: string): string {
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote === "" && /\s/.test(character)) return text.slice(0, at);
    if (character === escape && quote !== "'") at++;
    else if (character === quote) quote = "";
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
  }
  return text;
}

/** Quotes around a flag's value are no part of it; those inside stay for the expansion. */
function unquote(value: string): string {
  return /^"([^"]*)"$/.exec(value)?.[1] ?? /^'([^']*)'$/.exec(value)?.[1] ?? value;
}
