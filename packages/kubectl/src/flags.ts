import { FlagError, type ParsedFlag } from "@boxship/base/parse-flags";

/** One flag of a command, with a word for the help text. */
export type Flag<T> = ParsedFlag<T>;

interface Common {
  readonly short?: string;
}

const TRUE = /^(1|t|T|TRUE|true|True)$/;
const FALSE = /^(0|f|F|FALSE|false|False)$/;

export function bool(initial = false, more: Common = {}): Flag<boolean> {
  return {
    ...more,
    initial,
    bare: "true",
    parse(text) {
      if (TRUE.test(text)) return true;
      if (FALSE.test(text)) return false;
      throw new FlagError(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
    },
  };
}

/** @param bare what the flag means without a value; without it one is needed */
export function str(initial = "", more: Common & { readonly bare?: string } = {}): Flag<string> {
  return { ...more, initial, parse: (value) => value };
}

/** May be repeated, and hold several values with commas between them. */
export function slice(more: Common = {}): Flag<readonly string[]> {
  return { ...more, initial: [], parse: (value, before) => [...before, ...splitCsv(value)] };
}

/** May be repeated; commas are part of a value. */
export function array(more: Common = {}): Flag<readonly string[]> {
  return { ...more, initial: [], parse: (value, before) => [...before, value] };
}

export function int(initial = 0, more: Common = {}): Flag<number> {
  return {
    ...more,
    initial,
    parse(value) {
      if (!/^[+-]?\d+$/.test(value)) {
        throw new FlagError(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
      }
      return Number(value);
    },
  };
}

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Go's duration in milliseconds; undefined for what is none. */
export function parseDuration(value: string): number | undefined {
  if (value === "0") return 0;
  const sign = value.startsWith("-") ? -1 : 1;
  const rest = value.replace(/^[+-]/, "");
  if (!/^(\d+(\.\d*)?|\.\d+)(ns|us|\u00b5s|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|\u00b5s|ms|s|m|h))*$/.test(rest))
    return undefined;
  let total = 0;
  for (const [, number = "", unit = ""] of rest.matchAll(/([\d.]+)(ns|us|\u00b5s|ms|s|m|h)/g)) {
    total += Number(number) * (UNITS[unit] ?? 0);
  }
  return sign * total;
}

/** Milliseconds. */
export function duration(initial = 0, more: Common = {}): Flag<number> {
  return {
    ...more,
    initial,
    parse(value) {
      const parsed = parseDuration(value);
      if (parsed !== undefined) return parsed;
      const quoted = JSON.stringify(value);
      throw new FlagError(
        /^[+-]?[\d.]+$/.test(value) ? `time: missing unit in duration ${quoted}` : `time: invalid duration ${quoted}`,
      );
    },
  };
}

export function splitCsv(value: string): readonly string[] {
  if (value === "") return [];
  const parts: string[] = [];
  const field = /"((?:[^"]|"")*)"(?:,|$)|([^,]*)(?:,|$)/y;
  while (field.lastIndex < value.length) {
    const match = field.exec(value);
    if (match === null) break;
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
  }
  if (value.endsWith(",")) parts.push("");
  return parts;
}
