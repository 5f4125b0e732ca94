import { tryParseDuration } from "@boxship/base";
import { splitWords } from "@boxship/oci";
import { type FlagKind, type GivenFlags, readFlags } from "./flags.ts";
import type { Command, FromInstruction, Pair, StageInstruction } from "./instruction.ts";
import type { RawInstruction } from "./lines.ts";
import { parseMount } from "./parse-mount.ts";
import { closest, type Place, refuse } from "./source.ts";

/** One instruction with its flags taken off, as the parsers below see it. */
interface Line {
  readonly keyword: string;
  readonly place: Place;
  readonly text: string;
  /** Behind the flags. */
  readonly rest: string;
  readonly flags: GivenFlags;
  readonly raw: RawInstruction;
  readonly escape: "\\" | "`";
}

/** Flags of each instruction that has any. */
export const INSTRUCTION_FLAGS: Readonly<Record<string, Readonly<Record<string, FlagKind>>>> = {
  FROM: { platform: "value" },
  RUN: { mount: "values", network: "value", security: "value" },
  COPY: {
    from: "value",
    chown: "value",
    chmod: "value",
    link: "boolean",
    parents: "boolean",
    exclude: "values",
  },
  ADD: {
    chown: "value",
    chmod: "value",
    link: "boolean",
    exclude: "values",
    checksum: "value",
    "keep-git-dir": "boolean",
    unpack: "boolean",
  },
  HEALTHCHECK: {
    interval: "value",
    timeout: "value",
    "start-period": "value",
    "start-interval": "value",
    retries: "value",
  },
};

/** An instruction; `FROM` begins a stage. */
export type Parsed = FromInstruction | StageInstruction;

const PARSERS: Readonly<Record<string, (line: Line) => Parsed>> = {
  FROM: parseFrom,
  ARG: parseArg,
  ENV: (line) => ({ kind: "env", ...common(line), ...pairsOf(line) }),
  LABEL: (line) => ({ kind: "label", ...common(line), ...pairsOf(line) }),
  RUN: parseRun,
  CMD: (line) => ({ kind: "cmd", ...common(line), command: commandOf(line) }),
  ENTRYPOINT: (line) => ({ kind: "entrypoint", ...common(line), command: commandOf(line) }),
  COPY: parseCopy,
  ADD: parseCopy,
  WORKDIR: (line) => ({ kind: "workdir", ...common(line), word: oneWord(line) }),
  USER: (line) => ({ kind: "user", ...common(line), word: oneWord(line) }),
  STOPSIGNAL: (line) => ({ kind: "stopsignal", ...common(line), word: oneWord(line) }),
  MAINTAINER: (line) => ({ kind: "maintainer", ...common(line), word: oneWord(line) }),
  EXPOSE: (line) => ({ kind: "expose", ...common(line), words: someWords(line, splitWords(line.rest, line.escape)) }),
  VOLUME: parseVolume,
  SHELL: parseShell,
  ONBUILD: parseOnbuild,
  HEALTHCHECK: parseHealthcheck,
};

/** All that an instruction may begin with. */
export const KEYWORDS: readonly string[] = [...Object.keys(PARSERS), "INCLUDE"];

/** Reads one instruction. @throws ContainerfileError */
export function parseInstruction(raw: RawInstruction, escape: "\\" | "`"): Parsed {
  const { keyword, place } = raw;
  const parse = Object.hasOwn(PARSERS, keyword) ? PARSERS[keyword] : undefined;
  if (parse === undefined) {
    const meant = closest(keyword, KEYWORDS);
    refuse(
      place,
      `unknown instruction: ${raw.written}`,
      meant === undefined ? "instructions are " + KEYWORDS.join(", ") : `did you mean ${meant}?`,
    );
  }
  // A trigger's flags are its own.
  const flags = readFlags(
    keyword,
    keyword === "ONBUILD" ? "" : raw.rest,
    INSTRUCTION_FLAGS[keyword] ?? {},
    escape,
    place,
  );
  const rest = keyword === "ONBUILD" ? raw.rest : flags.rest;
  const text = `${raw.written} ${raw.rest}`.trim();
  return parse({ keyword, place, text, rest, flags, raw, escape });
}

function common({ place, text, raw }: Line): Pick<StageInstruction, "place" | "text" | "comments"> {
  return { place, text, ...(raw.comments.length === 0 ? {} : { comments: raw.comments }) };
}

function someWords<T>({ keyword, place }: Line, words: readonly T[]): readonly T[] {
  if (words.length === 0) refuse(place, `${keyword} requires at least one argument`, `write what ${keyword} is about`);
  return words;
}

function oneWord({ keyword, place, rest }: Line): string {
  if (rest === "") refuse(place, `${keyword} requires exactly one argument`, `write what ${keyword} is about`);
  return rest;
}

function parseFrom(line: Line): FromInstruction {
  const words = splitWords(line.rest, line.escape);
  const [image = "", as = "", name] = words;
  const platform = line.flags.value("platform");
  const start = { kind: "from", ...common(line), image, ...(platform === undefined ? {} : { platform }) } as const;
  if (words.length === 1) return start;
  if (words.length !== 3 || as.toLowerCase() !== "as" || name === undefined) {
    refuse(line.place, "FROM requires either one or three arguments", "write FROM image, or FROM image AS name");
  }
  if (!/^[a-z][a-z0-9-_.]*$/.test(name.toLowerCase())) {
    refuse(
      line.place,
      `invalid name for build stage: "${name}", name can't start with a number or contain symbols`,
      "begin it with a letter, and use letters, digits, - _ and .",
    );
  }
  return { ...start, as, name };
}

function parseArg(line: Line): StageInstruction {
  const words = someWords(line, splitWords(line.rest, line.escape));
  const args = words.map((word) => {
    const equals = word.indexOf("=");
    const name = equals === -1 ? word : word.slice(0, equals);
    if (name === "") refuse(line.place, "ARG names can not be blank", "write ARG NAME or ARG NAME=default");
    const comment = descriptionOf(line.raw.comments, name);
    const described = comment === undefined ? {} : { comment };
    return equals === -1 ? { name, ...described } : { name, value: word.slice(equals + 1), ...described };
  });
  return { kind: "arg", ...common(line), args };
}

/** What a comment says of a name: `# NAME what it is`. */
export function descriptionOf(comments: readonly string[] | undefined, name: string): string | undefined {
  return comments?.find((comment) => comment.startsWith(`${name} `))?.slice(name.length + 1);
}

/** `A=1 B="2 3"`, or the old `A 1`. */
function pairsOf(line: Line): { readonly pairs: readonly Pair[]; readonly legacy?: boolean } {
  const { keyword, place, rest } = line;
  const words = someWords(line, splitWords(rest, line.escape));
  if (words[0]?.includes("=") !== true) {
    const match = /^(\S+)\s+(.+)$/s.exec(rest);
    if (match === null) refuse(place, `${keyword} must have two arguments`, `write ${keyword} name=value`);
    return { pairs: [[match[1] ?? "", match[2] ?? ""]], legacy: true };
  }
  const pairs = words.map((word) => {
    const equals = word.indexOf("=");
    if (equals === -1) {
      refuse(
        place,
        `syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
        "put a value with blanks into quotes",
      );
    }
    if (equals === 0) refuse(place, `${keyword} names can not be blank`, `write ${keyword} name=value`);
    return [word.slice(0, equals), word.slice(equals + 1)] as const;
  });
  return { pairs };
}

/** The strings of a JSON list; undefined when the text is something else. */
function jsonList(text: string, place: Place): readonly string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (!value.every((item) => typeof item === "string")) {
    refuse(
      place,
      "when using JSON array syntax, arrays must be comprised of strings only",
      "put every argument into double quotes",
    );
  }
  return value;
}

function commandOf(line: Line): Command {
  const args = jsonList(line.rest, line.place);
  if (args !== undefined) return { form: "exec", args };
  if (line.rest === "") {
    refuse(line.place, `${line.keyword} requires at least one argument`, `write the command behind ${line.keyword}`);
  }
  return { form: "shell", line: line.rest };
}

function parseRun(line: Line): StageInstruction {
  const { flags, place } = line;
  const mounts = flags.values("mount");
  // Those with variables are read when these are known.
  for (const mount of mounts) checkMount(mount, place);
  // The body of a heredoc can be all there is to run.
  const command = commandOf(line);
  if (command.form === "exec" && command.args.length === 0) {
    refuse(place, "RUN requires at least one argument", "write the command behind RUN");
  }
  const network = oneOf(line, "network", ["default", "none", "host"] as const);
  const security = oneOf(line, "security", ["sandbox", "insecure"] as const);
  const heredocs = line.raw.heredocs;
  return { kind: "run", ...common(line), command, heredocs, mounts, ...network, ...security };
}

function checkMount(text: string, place: Place): void {
  if (/(?:^|,)from=[^,]*\$/.test(text)) {
    refuse(
      place,
      "'from' doesn't support variable expansion, define alias stage instead",
      "add FROM $NAME AS alias, and name the alias",
    );
  }
  if (!text.includes("$")) parseMount(text, place);
}

function oneOf<Name extends string, T extends string>(
  { flags, place }: Line,
  name: Name,
  values: readonly T[],
): { readonly [K in Name]?: T } {
  const given = flags.value(name);
  const value = values.find((known) => known === given);
  if (given !== undefined && value === undefined) {
    refuse(place, `invalid ${name} mode "${given}"`, `use one of ${values.join(", ")}`);
  }
  return optional(name, value);
}

function parseCopy(line: Line): StageInstruction {
  const { flags, place, keyword, raw } = line;
  const words = jsonList(line.rest, place) ?? splitWords(line.rest, line.escape);
  const destination = words.at(-1);
  if (destination === undefined || words.length < 2) {
    refuse(
      place,
      `${keyword} requires at least two arguments, but only one was provided. Destination could not be determined`,
      "write the source, then the destination",
    );
  }
  const sources = words.slice(0, -1).filter((word) => !isHeredoc(word));
  const kind = keyword === "COPY" ? "copy" : "add";
  const parents = flags.boolean("parents") ?? false;
  if (flags.value("from")?.includes("$") === true) {
    refuse(
      place,
      "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
      "add FROM $NAME AS alias, and name the alias",
    );
  }
  return {
    kind,
    ...common(line),
    sources,
    destination,
    heredocs: raw.heredocs,
    link: flags.boolean("link") ?? false,
    parents,
    exclude: flags.values("exclude"),
    ...optional("from", flags.value("from")),
    ...optional("chown", flags.value("chown")),
    ...optional("chmod", flags.value("chmod")),
    ...optional("checksum", flags.value("checksum")),
    ...optional("keepGitDirectory", flags.boolean("keep-git-dir")),
    ...optional("unpack", flags.boolean("unpack")),
  };
}

function isHeredoc(word: string): boolean {
  return /^<<-?["']?\w/.test(word);
}

function optional<Name extends string, T>(name: Name, value: T | undefined): { readonly [K in Name]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [K in Name]?: T };
}

function parseVolume(line: Line): StageInstruction {
  const words = someWords(line, jsonList(line.rest, line.place) ?? splitWords(line.rest, line.escape));
  if (words.some((word) => word.trim() === "")) {
    refuse(line.place, "VOLUME specified can not be an empty string", "write the path of a directory");
  }
  return { kind: "volume", ...common(line), words };
}

function parseShell(line: Line): StageInstruction {
  const words = jsonList(line.rest, line.place);
  if (words === undefined) {
    refuse(line.place, "SHELL requires the arguments to be in JSON form", 'write SHELL ["/bin/bash", "-c"]');
  }
  return { kind: "shell", ...common(line), words: someWords(line, words) };
}

function parseOnbuild(line: Line): StageInstruction {
  const { place, rest, raw } = line;
  const word = (/^\S+/.exec(rest)?.[0] ?? "").toUpperCase();
  if (word === "") refuse(place, "ONBUILD requires at least one argument", "write the instruction behind ONBUILD");
  if (word === "ONBUILD") {
    refuse(place, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", "remove one ONBUILD");
  }
  if (word === "FROM" || word === "MAINTAINER") {
    refuse(place, `${word} isn't allowed as an ONBUILD trigger`, `move ${word} out of ONBUILD`);
  }
  const bodies = raw.heredocs.map(({ name, content }) => `\n${content}${name}`).join("");
  return { kind: "onbuild", ...common(line), trigger: `${rest}${bodies}` };
}

function parseHealthcheck(line: Line): StageInstruction {
  const { place, rest, flags } = line;
  const word = /^\S+/.exec(rest)?.[0] ?? "";
  const after = rest.slice(word.length).trim();
  const durations = {
    interval: durationOf(flags, "interval", place),
    timeout: durationOf(flags, "timeout", place),
    startPeriod: durationOf(flags, "start-period", place),
    startInterval: durationOf(flags, "start-interval", place),
    retries: retriesOf(flags, place),
  };
  switch (word.toUpperCase()) {
    case "":
      return refuse(place, "HEALTHCHECK requires at least one argument", "write HEALTHCHECK CMD command, or NONE");
    case "NONE":
      if (after !== "") refuse(place, "HEALTHCHECK NONE takes no arguments", `remove ${after}`);
      return { kind: "healthcheck", ...common(line), command: undefined, ...durations };
    case "CMD":
      return { kind: "healthcheck", ...common(line), command: healthCommand(after, place), ...durations };
    default:
      return refuse(
        place,
        `Unknown type ${JSON.stringify(word)} in HEALTHCHECK (try CMD)`,
        `write HEALTHCHECK CMD ${rest}`,
      );
  }
}

function healthCommand(text: string, place: Place): Command {
  const args = jsonList(text, place);
  if (text === "" || args?.length === 0) {
    refuse(place, "Missing command after HEALTHCHECK CMD", "write the command behind CMD");
  }
  return args === undefined ? { form: "shell", line: text } : { form: "exec", args };
}

function durationOf(flags: GivenFlags, name: string, place: Place): number {
  const text = flags.value(name);
  if (text === undefined || text === "") return 0;
  const value = tryParseDuration(text);
  if (value === undefined || value < 0 || !Number.isSafeInteger(value)) {
    refuse(place, `invalid duration "${text}" of --${name}`, "write it like 30s or 1m30s");
  }
  if (value !== 0 && value < 1e6) refuse(place, `Interval "${name}" cannot be less than 1ms`, "write it like 30s");
  return value;
}

function retriesOf(flags: GivenFlags, place: Place): number {
  const text = flags.value("retries");
  if (text === undefined || text === "") return 0;
  if (!/^[+-]?\d{1,9}$/.test(text)) refuse(place, `--retries "${text}" is no number`, "write --retries=3");
  if (Number(text) < 0) refuse(place, `--retries cannot be negative (${text})`, "write --retries=3");
  return Number(text);
}
