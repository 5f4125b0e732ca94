import { InvalidArgument, tryParseDuration } from "@boxship/base";
import { splitWords } from "./shell-word.ts";

/** A command in one of its two forms. */
export type CommandForm =
  | { readonly form: "exec"; readonly args: readonly string[] }
  /** A line for the shell. */
  | { readonly form: "shell"; readonly line: string };

export interface HealthOptions {
  /** Nanoseconds; 0 is the default. */
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

/** One instruction that changes an image's configuration. Words are as written: quotes and variables are still in them. */
export type Change =
  | { readonly kind: "cmd" | "entrypoint"; readonly command: CommandForm }
  | { readonly kind: "env" | "label"; readonly pairs: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: "expose" | "volume"; readonly words: readonly string[] }
  | { readonly kind: "user" | "workdir" | "stopsignal"; readonly word: string }
  | { readonly kind: "onbuild"; readonly trigger: string }
  | { readonly kind: "healthcheck"; readonly command: CommandForm | undefined; readonly options: HealthOptions };

/** One line of instructions, and where its parts are. */
interface Line {
  readonly instruction: string;
  /** Behind the flags. */
  readonly rest: string;
  readonly flags: ReadonlyMap<string, string>;
}

/**
 * Reads the instructions of `commit --change` and `import --change`, in the language of Containerfiles: one or more to a
 * text, lines that end in a backslash go on, lines that begin with `#` are comments.
 *
 * @throws InvalidArgument with Docker's own texts where it has some
 */
export function parseChanges(texts: readonly string[]): readonly Change[] {
  return logicalLines(texts.join("\n")).map(parseChange);
}

function logicalLines(text: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const raw of text.split(/\r?\n/)) {
    const trimmed = raw.trimStart();
    if (trimmed.startsWith("#") || trimmed.trim() === "") continue;
    const continued = /\\[ \t]*$/.exec(raw);
    line += continued === null ? raw : raw.slice(0, continued.index);
    if (continued !== null) continue;
    lines.push(line.trim());
    line = "";
  }
  if (line.trim() !== "") lines.push(line.trim());
  return lines;
}

function refuse(message: string): InvalidArgument {
  return new InvalidArgument(message, { subject: { kind: "change", name: message.split(" ")[0] ?? "" } });
}

const PARSERS: Readonly<Record<string, (line: Line) => Change>> = {
  CMD: (line) => ({ kind: "cmd", command: commandOf(line) }),
  ENTRYPOINT: (line) => ({ kind: "entrypoint", command: commandOf(line) }),
  ENV: (line) => ({ kind: "env", pairs: pairsOf(line) }),
  LABEL: (line) => ({ kind: "label", pairs: pairsOf(line) }),
  EXPOSE: (line) => ({ kind: "expose", words: atLeastOne(line, splitWords(line.rest)) }),
  VOLUME: (line) => ({ kind: "volume", words: volumesOf(line) }),
  USER: (line) => ({ kind: "user", word: exactlyOne(line) }),
  WORKDIR: (line) => ({ kind: "workdir", word: exactlyOne(line) }),
  STOPSIGNAL: (line) => ({ kind: "stopsignal", word: exactlyOne(line) }),
  ONBUILD: (line) => ({ kind: "onbuild", trigger: triggerOf(line) }),
  HEALTHCHECK: (line) => healthOf(line),
};

const FLAGS: Readonly<Record<string, readonly string[]>> = {
  HEALTHCHECK: ["interval", "timeout", "start-period", "start-interval", "retries"],
};

function parseChange(text: string): Change {
  const word = /^\S+/.exec(text)?.[0] ?? "";
  const instruction = word.toUpperCase();
  const parse = Object.hasOwn(PARSERS, instruction) ? PARSERS[instruction] : undefined;
  if (parse === undefined) {
    throw new InvalidArgument(`${word} is not a valid change command`, {
      subject: { kind: "change", name: word },
      remedy: `use one of ${Object.keys(PARSERS).join(", ")}`,
    });
  }
  return parse(lineOf(instruction, text.slice(word.length).trim()));
}

function lineOf(instruction: string, text: string): Line {
  const flags = new Map<string, string>();
  let rest = text;
  for (;;) {
    const match = /^--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|$)/.exec(rest);
    if (match === null || instruction === "ONBUILD") return { instruction, rest, flags };
    const [whole, name = "", value = ""] = match;
    if (!(FLAGS[instruction] ?? []).includes(name)) throw refuse(`${instruction}: unknown flag: --${name}`);
    if (flags.has(name)) throw refuse(`${instruction}: duplicate flag specified: --${name}`);
    flags.set(name, value);
    rest = rest.slice(whole.length);
  }
}

function atLeastOne<T>({ instruction }: Line, words: readonly T[]): readonly T[] {
  if (words.length === 0) throw refuse(`${instruction} requires at least one argument`);
  return words;
}

function exactlyOne({ instruction, rest }: Line): string {
  if (rest === "") throw refuse(`${instruction} requires exactly one argument`);
  return rest;
}

/** The strings of a JSON list; undefined when the text is something else. */
function jsonList(text: string): readonly string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (!value.every((item) => typeof item === "string")) {
    throw refuse("only string type is allowed in JSON array of strings");
  }
  return value;
}

function commandOf(line: Line): CommandForm {
  if (line.rest === "") throw refuse(`${line.instruction} requires at least one argument`);
  const args = jsonList(line.rest);
  return args === undefined ? { form: "shell", line: line.rest } : { form: "exec", args };
}

function volumesOf(line: Line): readonly string[] {
  const words = atLeastOne(line, jsonList(line.rest) ?? line.rest.split(/\s+/).filter((word) => word !== ""));
  if (words.some((word) => word.trim() === "")) throw refuse("VOLUME specified can not be an empty string");
  return words;
}

/** `A=1 B="2 3"`, or the old `A 1`. */
function pairsOf(line: Line): readonly (readonly [string, string])[] {
  const { instruction, rest } = line;
  const words = atLeastOne(line, splitWords(rest));
  if (words[0]?.includes("=") !== true) {
    const match = /^(\S+)\s+(.+)$/s.exec(rest);
    if (match === null) throw refuse(`${instruction} must have two arguments`);
    return [[match[1] ?? "", match[2] ?? ""]];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals === -1) {
      throw refuse(`${instruction}: can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    }
    if (equals === 0) throw refuse(`${instruction} names can not be blank`);
    return [word.slice(0, equals), word.slice(equals + 1)] as const;
  });
}

function triggerOf(line: Line): string {
  const { rest } = line;
  if (rest === "") throw refuse("ONBUILD requires at least one argument");
  const word = (/^\S+/.exec(rest)?.[0] ?? "").toUpperCase();
  if (word === "ONBUILD") throw refuse("ONBUILD: chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (word === "FROM" || word === "MAINTAINER") throw refuse(`ONBUILD: ${word} isn't allowed as an ONBUILD trigger`);
  return rest;
}

const NO_OPTIONS: HealthOptions = { interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 };

function healthOf({ rest, flags }: Line): Change {
  const word = /^\S+/.exec(rest)?.[0] ?? "";
  const after = rest.slice(word.length).trim();
  switch (word.toUpperCase()) {
    case "":
      throw refuse("HEALTHCHECK requires at least one argument");
    case "NONE":
      if (after !== "" || flags.size > 0) throw refuse("HEALTHCHECK NONE takes no arguments");
      return { kind: "healthcheck", command: undefined, options: NO_OPTIONS };
    case "CMD":
      break;
    default:
      throw refuse(`HEALTHCHECK: unknown type ${JSON.stringify(word)} (try CMD)`);
  }
  if (after === "") throw refuse("HEALTHCHECK: missing command after HEALTHCHECK CMD");
  const args = jsonList(after);
  if (args?.length === 0) throw refuse("HEALTHCHECK: missing command after HEALTHCHECK CMD");
  return {
    kind: "healthcheck",
    command: args === undefined ? { form: "shell", line: after } : { form: "exec", args },
    options: {
      interval: durationOf(flags, "interval"),
      timeout: durationOf(flags, "timeout"),
      startPeriod: durationOf(flags, "start-period"),
      startInterval: durationOf(flags, "start-interval"),
      retries: retriesOf(flags),
    },
  };
}

const LEAST = 1e6;

/** Go's duration (`1m30s`) in nanoseconds. */
function durationOf(flags: ReadonlyMap<string, string>, name: string): number {
  const text = flags.get(name) ?? "";
  if (text === "") return 0;
  const total = tryParseDuration(text);
  if (total === undefined || total < 0) {
    throw refuse(`HEALTHCHECK: --${name}: invalid duration ${JSON.stringify(text)}`);
  }
  if (total !== 0 && total < LEAST) throw refuse(`HEALTHCHECK: --${name} ${text} cannot be less than 1ms`);
  if (!Number.isSafeInteger(total)) throw refuse(`HEALTHCHECK: --${name} ${text} is too long`);
  return total;
}

function retriesOf(flags: ReadonlyMap<string, string>): number {
  const text = flags.get("retries") ?? "";
  if (text === "") return 0;
  if (!/^[+-]?\d{1,9}$/.test(text)) throw refuse(`HEALTHCHECK: --retries ${JSON.stringify(text)} is no number`);
  if (Number(text) < 0) throw refuse(`HEALTHCHECK: --retries must be at least 0 (not ${text})`);
  return Number(text);
}
