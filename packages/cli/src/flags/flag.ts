import { FlagError, type FlagValues, type ParsedFlag } from "@boxship/base/parse-flags";
import { parseDuration } from "../format/parse-duration.ts";
import { parseBytes } from "../format/parse-size.ts";

/** What a word of a command line names, for shell completion. */
export type CompletionKind = "container" | "running-container" | "image" | "network" | "volume" | "file" | "none";

/** One flag of a command. Flags are named by their key in a {@link FlagSet}. */
export interface Flag<T> extends ParsedFlag<T> {
  readonly help: string;
  /** Word for the value in the help text; absent for flags that need none. */
  readonly hint?: string;
  /** Works, but is not in the help text. @default false */
  readonly hidden?: boolean;
  /** How the default reads in the help text. @default nothing */
  readonly shown?: string;
  /** What may stand as the value, for shell completion. */
  readonly choices?: readonly string[];
  /** What the value names, for shell completion. @default "none" */
  readonly completes?: CompletionKind;
}

export type FlagSet = Readonly<Record<string, Flag<unknown>>>;

export type { FlagValues };

interface Common {
  readonly short?: string;
  readonly hidden?: boolean;
  readonly choices?: readonly string[];
  readonly completes?: CompletionKind;
}

const TRUE: ReadonlySet<string> = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE: ReadonlySet<string> = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** Go's `strconv.ParseBool`. */
export function parseBool(value: string): boolean {
  if (TRUE.has(value)) return true;
  if (FALSE.has(value)) return false;
  throw new FlagError(`strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
}

export function bool(help: string, options: Common & { readonly initial?: boolean } = {}): Flag<boolean> {
  const initial = options.initial ?? false;
  return { ...options, help, initial, bare: "true", ...(initial && { shown: "true" }), parse: parseBool };
}

export function text(
  help: string,
  options: Common & { readonly initial?: string; readonly hint?: string } = {},
): Flag<string> {
  const initial = options.initial ?? "";
  return {
    hint: "string",
    ...options,
    help,
    initial,
    ...(initial !== "" && { shown: JSON.stringify(initial) }),
    parse: (value) => value,
  };
}

/** A flag that may be repeated; every value is checked, and may be rewritten. */
export function list(
  help: string,
  options: Common & { readonly hint?: string; readonly check?: (value: string) => string } = {},
): Flag<readonly string[]> {
  const { check = (value: string) => value, ...rest } = options;
  return { hint: "list", ...rest, help, initial: [], parse: (value, before) => [...before, check(value)] };
}

/** A flag that may be repeated, or hold several values with commas between them. */
export function commaList(help: string, options: Common & { readonly hint?: string } = {}): Flag<readonly string[]> {
  return {
    hint: "strings",
    ...options,
    help,
    initial: [],
    parse: (value, before) => [...before, ...(value === "" ? [] : value.split(","))],
  };
}

/** `KEY=VALUE`, repeated; the last value of a key wins. */
export function keyValues(
  help: string,
  options: Common & { readonly check?: (value: string) => void } = {},
): Flag<Readonly<Record<string, string>>> {
  const { check, ...rest } = options;
  return {
    hint: "map",
    ...rest,
    help,
    initial: {},
    parse(value, before) {
      check?.(value);
      const at = value.indexOf("=");
      return { ...before, [at < 0 ? value : value.slice(0, at)]: at < 0 ? "" : value.slice(at + 1) };
    },
  };
}

/** Go's `strconv.ParseInt` with base 0 on a range. */
export function parseInteger(value: string, least: bigint, most: bigint): number {
  const sign = value.startsWith("-") ? -1n : 1n;
  const digits = value.replace(/^[+-]/, "").replace(/^0(?=[0-7])/, "0o");
  const parser = least < 0n ? "ParseInt" : "ParseUint";
  if (!/^(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|\d+)$/.test(digits) || (least === 0n && sign < 0n)) {
    throw new FlagError(`strconv.${parser}: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  const number = sign * BigInt(digits);
  if (number < least || number > most) {
    throw new FlagError(`strconv.${parser}: parsing ${JSON.stringify(value)}: value out of range`);
  }
  return Number(number);
}

const MAX_INT64 = 2n ** 63n - 1n;

export function integer(
  help: string,
  options: Common & {
    readonly initial?: number;
    readonly hint?: string;
    readonly bits?: 16 | 64;
    readonly unsigned?: boolean;
  } = {},
): Flag<number> {
  const { initial = 0, bits = 64, unsigned = false, ...rest } = options;
  const most = unsigned ? 2n ** BigInt(bits) - 1n : MAX_INT64;
  return {
    hint: unsigned ? `uint${bits}` : "int",
    ...rest,
    help,
    initial,
    ...(initial !== 0 && { shown: String(initial) }),
    parse: (value) => parseInteger(value, unsigned ? 0n : -MAX_INT64 - 1n, most),
  };
}

/** A number of bytes: `512m`, `1.5g`. */
export function bytes(help: string, options: Common = {}): Flag<number> {
  return { hint: "bytes", ...options, help, initial: 0, parse: parseBytes };
}

/** A number of bytes, or -1 for no limit. */
export function bytesOrUnlimited(help: string, options: Common = {}): Flag<number> {
  return { hint: "bytes", ...options, help, initial: 0, parse: (value) => (value === "-1" ? -1 : parseBytes(value)) };
}

/** Go's duration, in nanoseconds: `1m30s`. */
export function duration(help: string, options: Common = {}): Flag<number> {
  return { hint: "duration", ...options, help, initial: 0, parse: parseDuration };
}

/** `KEY=VALUE` filters of a list; a key may have several values. */
export function filter(
  help = "Filter output based on conditions provided",
): Flag<Readonly<Record<string, readonly string[]>>> {
  return {
    short: "f",
    hint: "filter",
    help,
    initial: {},
    parse(value, before) {
      if (value === "") return before;
      const at = value.indexOf("=");
      if (at < 0) throw new FlagError("bad format of filter (expected name=value)");
      const key = value.slice(0, at).trim().toLowerCase();
      return { ...before, [key]: [...(before[key] ?? []), value.slice(at + 1).trim()] };
    },
  };
}

/** A flag with a parser of its own. */
export function custom<T>(
  help: string,
  options: Common & { readonly hint: string; readonly initial: T; readonly parse: (value: string, before: T) => T },
): Flag<T> {
  return { ...options, help };
}

/** The same flag without its letter. */
export function withoutShort<T>(flag: Flag<T>): Flag<T> {
  const { short: _short, ...rest } = flag;
  return rest;
}
