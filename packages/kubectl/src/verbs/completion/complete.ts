import { type ParsedSet, parseFlags } from "@boxship/base/parse-flags";
import type { Entry, Globals } from "../../command.ts";
import { firstOperand } from "../../first-operand.ts";
import { globalFlags } from "../../global-flags.ts";
import type { Io } from "../../io.ts";
import { Session } from "../../session.ts";
import { table } from "../../table.ts";
import { pluginsOf } from "../plugin.ts";
import {
  type Candidates,
  type Completer,
  containers,
  copied,
  DIRECTIVE,
  entriesOf,
  NOTHING,
  names,
  oneOf,
  pods,
  podsAndContainers,
  podsAndPorts,
  starting,
  typesAndNames,
} from "./candidates.ts";

const any = typesAndNames();
const rolled = { types: ["deployment", "daemonset", "statefulset"] };
const scaled = typesAndNames({ types: ["deployment", "replicaset", "replicationcontroller", "statefulset"] });

const TOP = ["node\tDisplay resource (CPU/memory) usage of nodes", "pod\tDisplay resource (CPU/memory) usage of pods"];

/** What operands of a command can be. */
const OPERANDS: Readonly<Record<string, Completer>> = {
  annotate: any,
  attach: pods,
  autoscale: scaled,
  completion: oneOf("zsh", "fish", "bash"),
  "config delete-cluster": entriesOf("clusters"),
  "config delete-context": entriesOf("contexts"),
  "config delete-user": entriesOf("users"),
  "config rename-context": entriesOf("contexts"),
  "config set-context": entriesOf("contexts"),
  "config use-context": entriesOf("contexts"),
  cordon: names("node"),
  cp: copied,
  "create token": names("serviceaccount"),
  debug: any,
  delete: any,
  describe: any,
  drain: names("node"),
  edit: any,
  exec: pods,
  expose: typesAndNames({ types: ["pod", "service", "replicationcontroller", "deployment", "replicaset"] }),
  get: any,
  label: any,
  logs: podsAndContainers,
  patch: any,
  "port-forward": podsAndPorts,
  "rollout history": typesAndNames(rolled),
  "rollout pause": typesAndNames({ types: ["deployment"] }),
  "rollout restart": typesAndNames(rolled),
  "rollout resume": typesAndNames({ types: ["deployment"] }),
  "rollout status": typesAndNames({ ...rolled, several: false }),
  "rollout undo": typesAndNames(rolled),
  scale: scaled,
  taint: typesAndNames({ types: ["node"] }),
  top: async (session, [first, ...before], last) =>
    first === undefined
      ? { words: starting(TOP, last), directive: DIRECTIVE.noFiles }
      : await names(first)(session, before, last),
  uncordon: names("node"),
  why: any,
};

const FORMATS = [
  "json",
  "yaml",
  "kyaml",
  "name",
  "go-template",
  "go-template-file",
  "template",
  "templatefile",
  "jsonpath",
  "jsonpath-as-json",
  "jsonpath-file",
];

const FILE_NAMES: Candidates = { words: [], directive: DIRECTIVE.default };
const FILES: Candidates = { words: ["json", "yaml", "yml"], directive: DIRECTIVE.extensions };

/** What values of a flag can be, whatever stands before it. */
const VALUES: Readonly<Record<string, Completer>> = {
  cluster: entriesOf("clusters"),
  container: containers,
  context: entriesOf("contexts"),
  filename: async () => FILES,
  namespace: names("namespace"),
  output: oneOf(...FORMATS, "custom-columns", "custom-columns-file", "wide"),
  subresource: oneOf("status", "scale", "resize"),
  user: entriesOf("users"),
};

const NAMES: Readonly<Record<number, string>> = {
  8: "FilterFileExt",
  0: "Default",
  2: "NoSpace",
  4: "NoFileComp",
  6: "NoSpace, ShellCompDirectiveNoFileComp",
};

/**
 * Answers shells: what the last word, which is being typed, can be.
 *
 * @param described whether each candidate has a description
 */
export async function complete(args: readonly string[], io: Io, described: boolean): Promise<void> {
  const last = args.at(-1) ?? "";
  const found = await candidates(args.slice(0, -1), last, io).catch(() => ({
    words: [],
    directive: DIRECTIVE.default,
  }));
  for (const word of found.words) io.stdout.write(`${described ? word : word.split("\t")[0]}\n`);
  io.stdout.write(`:${found.directive}\n`);
  io.stderr.write(`Completion ended with directive: ShellCompDirective${NAMES[found.directive] ?? ""}\n`);
}

async function candidates(words: readonly string[], last: string, io: Io): Promise<Candidates> {
  const { entry, path, rest } = follow(words);
  const command = (await entry.load?.())?.command;
  const flags: ParsedSet = { ...globalFlags, ...command?.flags };
  const isPlain = words.includes("--");
  if (!isPlain && last.startsWith("-") && !last.includes("=")) return flagNames(flags, rest, last);
  const pending = isPlain ? undefined : pendingFlag(flags, rest, last);
  const parsed = parsedOf(flags, pending?.isOwnWord === true ? rest.slice(0, -1) : rest);
  using session = new Session(io, parsed.globals);
  if (pending !== undefined) {
    const values = VALUES[pending.name];
    if (values === undefined) return FILE_NAMES;
    const before = pending.name === "container" ? parsed.operands : [];
    return await values(session, before, pending.value).catch(() => NOTHING);
  }
  if (entry.children !== undefined && parsed.operands.length === 0) return await commandNames(entry, path, last, io);
  const completer = OPERANDS[path];
  // What the server does not tell is no reason to offer files.
  const found = (await completer?.(session, parsed.operands, last).catch(() => NOTHING)) ?? FILE_NAMES;
  const needed = (command?.required ?? []).filter((name) => !parsed.changed.has(name)).map((name) => `--${name}`);
  return { ...found, words: [...starting(needed, last), ...found.words] };
}

interface Followed {
  readonly entry: Entry;
  /** Without `kubectl`. */
  readonly path: string;
  readonly rest: readonly string[];
}

function follow(words: readonly string[]): Followed {
  let entry: Entry = { name: "kubectl", children: table };
  const path: string[] = [];
  let rest = words;
  for (;;) {
    const at = firstOperand(rest);
    const next = entry.children?.find(({ name, aliases }) => name === rest[at] || aliases?.includes(rest[at] ?? ""));
    if (next === undefined) return { entry, path: path.join(" "), rest };
    rest = rest.toSpliced(at, 1);
    path.push(next.name);
    entry = next;
  }
}

async function commandNames(entry: Entry, path: string, last: string, io: Io): Promise<Candidates> {
  const children = (entry.children ?? []).filter(
    ({ name, refused, hidden }) => refused === undefined && hidden !== true && name.startsWith(last),
  );
  const told = children.map(async ({ name, summary, load }): Promise<string> => {
    const about = summary ?? (await load?.())?.command.summary ?? "";
    return about === "" ? name : `${name}\t${about}`;
  });
  const words = await Promise.all(told);
  if (path === "") {
    words.push(...starting(["help\tHelp about any command"], last));
    for (const plugin of await pluginsOf({ ...io, stderr: { write: () => undefined } })) {
      const name = (plugin.split("/kubectl-").at(-1) ?? "").split("-")[0]?.replaceAll("_", "-") ?? "";
      const isNew = name.startsWith(last) && !words.some((word) => word.split("\t")[0] === name);
      if (isNew) words.push(`${name}\tThe command ${name} is a plugin installed by the user`);
    }
  }
  return { words: words.sort(), directive: DIRECTIVE.noFiles };
}

function flagNames(flags: ParsedSet, rest: readonly string[], last: string): Candidates {
  const words = Object.entries(flags).flatMap(([name, { short, initial }]) => {
    const both = [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];
    const isGiven = rest.some((word) => both.includes(word.split("=")[0] ?? ""));
    return isGiven && !Array.isArray(initial) ? [] : both;
  });
  return { words: starting([...words, "--help", "-h"], last), directive: DIRECTIVE.noFiles };
}

/** The flag whose value is being typed. */
function pendingFlag(flags: ParsedSet, rest: readonly string[], last: string) {
  const at = last.indexOf("=");
  const isOwnWord = !(last.startsWith("-") && at > 0);
  const word = isOwnWord ? (rest.at(-1) ?? "") : last.slice(0, at);
  if (!word.startsWith("-") || word.includes("=")) return undefined;
  const found = Object.entries(flags).find(([name, { short }]) => word === `--${name}` || word === `-${short ?? ""}`);
  if (found === undefined || (isOwnWord && found[1].bare !== undefined)) return undefined;
  return { name: found[0], value: isOwnWord ? last : last.slice(at + 1), isOwnWord };
}

/** What can be understood of what was typed so far. */
function parsedOf(flags: ParsedSet, rest: readonly string[]) {
  const { values, operands, changed } = parseFlags(flags, rest);
  return { globals: values as unknown as Globals, operands, changed };
}
