import { ApiClient } from "../api-client/client.ts";
import { type Command, type CommandEntry, type CommandGroup, isGroup } from "../command.ts";
import type { Context } from "../context.ts";
import type { CompletionKind, Flag, FlagSet } from "../flags/flag.ts";
import { globalFlags } from "../flags/global-flags.ts";
import type { ListedContainer } from "../format/container-row.ts";
import type { ListedImage } from "../format/image-row.ts";

type Entries = readonly (CommandEntry | CommandGroup)[];

const visible = (entries: Entries): readonly string[] =>
  entries.filter((entry) => isGroup(entry) || !entry.hidden).map(({ name }) => name);

/**
 * What could stand at the end of a command line.
 *
 * @param words words after the program's name; the last one is being typed, and may be empty
 */
export async function complete(context: Context, table: Entries, words: readonly string[]): Promise<readonly string[]> {
  const line = split(words);
  const candidates = await candidatesFor(context, table, line);
  return candidates
    .filter((candidate) => candidate.startsWith(line.typed))
    .map((candidate) => (line.prefix ?? "") + candidate);
}

interface Line {
  readonly before: readonly string[];
  readonly typed: string;
  /** The last word before is a flag, and what is typed its value: what the shell wants to see again before each candidate. */
  readonly prefix?: string;
}

/** `--flag=value` as `--flag value`. bash takes `=` for a word of its own, the other shells do not. */
function split(words: readonly string[]): Line {
  const typed = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  if (typed === "=" && before.at(-1)?.startsWith("--")) return { before, typed: "", prefix: "" };
  if (before.at(-1) === "=" && before.at(-2)?.startsWith("--")) {
    return { before: before.slice(0, -1), typed, prefix: "" };
  }
  const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(typed) ?? [];
  if (flag === undefined || value === undefined) return { before, typed };
  return { before: [...before, flag], typed: value, prefix: `${flag}=` };
}

async function candidatesFor(
  context: Context,
  table: Entries,
  { before, typed, prefix }: Line,
): Promise<readonly string[]> {
  const place = findPlace(table, before);
  if (place === undefined) return [];
  if ("entries" in place) return typed.startsWith("-") ? flagNames(globalFlags) : visible(place.entries);
  const { command } = await place.entry.load();
  if (command.complete !== undefined) return await command.complete(context, [...place.rest, typed]);
  if (prefix !== undefined) return valuesOf(context, findFlag(command.flags, place.rest.at(-1) ?? ""));
  return commandCandidates(context, command, place.rest, typed);
}

type Place = { readonly entries: Entries } | { readonly entry: CommandEntry; readonly rest: readonly string[] };

/** Where in the tree the words lead; global flags and their values are passed over. */
function findPlace(table: Entries, words: readonly string[]): Place | undefined {
  let entries = table;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word.startsWith("-")) {
      if (takesValue(globalFlags, word)) at++;
      continue;
    }
    const entry = entries.find(({ name, aliases }) => name === word || aliases?.includes(word));
    if (entry === undefined) return undefined;
    if (!isGroup(entry)) return { entry, rest: words.slice(at + 1) };
    entries = entry.children;
  }
  return { entries };
}

function flagNames(flags: FlagSet): readonly string[] {
  const shown = Object.entries(flags).filter(([, flag]) => !flag.hidden);
  return [...shown.map(([name]) => `--${name}`), "--help"].sort();
}

function findFlag(flags: FlagSet, word: string) {
  if (word.startsWith("--")) return flags[word.slice(2)];
  const letter = word.slice(-1);
  return word.startsWith("-") ? Object.values(flags).find(({ short }) => short === letter) : undefined;
}

/** Whether the next word is this flag's value. */
function takesValue(flags: FlagSet, word: string): boolean {
  const flag = word.includes("=") ? undefined : findFlag(flags, word);
  return flag !== undefined && flag.bare === undefined;
}

async function commandCandidates(
  context: Context,
  command: Command,
  rest: readonly string[],
  typed: string,
): Promise<readonly string[]> {
  const operands: string[] = [];
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? "";
    const value = operands.length === 0 || command.interspersed !== false ? takesValue(command.flags, word) : false;
    if (value && at === rest.length - 1) return valuesOf(context, findFlag(command.flags, word));
    if (value) at++;
    else if (!word.startsWith("-")) operands.push(word);
  }
  const past = operands.length > 0 && command.interspersed === false;
  if (typed.startsWith("-") && !past) return flagNames(command.flags);
  if (operands.length >= (command.operands?.max ?? 0) || past) return [];
  return namesOf(context, kindAt(command.completes, operands.length), operands);
}

function kindAt(completes: Command["completes"] = "none", place: number): CompletionKind {
  return typeof completes === "string" ? completes : (completes[place] ?? completes.at(-1) ?? "none");
}

async function valuesOf(context: Context, flag: Flag<unknown> | undefined): Promise<readonly string[]> {
  const names = await namesOf(context, flag?.completes ?? "none", []);
  return [...names, ...(flag?.choices ?? [])];
}

/** Names of the engine's objects. An engine that does not run is not started for this. */
async function namesOf(context: Context, kind: CompletionKind, given: readonly string[]): Promise<readonly string[]> {
  using api = new ApiClient(context.endpoint);
  const names = await listNames(api, kind).catch(() => []);
  return names.filter((name) => !given.includes(name)).sort();
}

async function listNames(api: ApiClient, kind: CompletionKind): Promise<readonly string[]> {
  switch (kind) {
    case "container":
    case "running-container": {
      const query = { all: kind === "container" };
      const containers = await api.json<readonly ListedContainer[]>("GET", "/containers/json", { query });
      return containers.flatMap(({ Names }) => Names.map((name) => name.slice(1)));
    }
    case "image": {
      const images = await api.json<readonly ListedImage[]>("GET", "/images/json");
      return images.flatMap(({ RepoTags }) => (RepoTags ?? []).filter((tag) => tag !== "<none>:<none>"));
    }
    case "network":
      return (await api.json<readonly { readonly Name: string }[]>("GET", "/networks")).map(({ Name }) => Name);
    case "volume": {
      const { Volumes } = await api.json<{ readonly Volumes: readonly { readonly Name: string }[] | null }>(
        "GET",
        "/volumes",
      );
      return (Volumes ?? []).map(({ Name }) => Name);
    }
    case "file":
    case "none":
      return [];
  }
}
