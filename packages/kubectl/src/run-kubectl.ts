import { FlagError, HelpRequested, type ParsedSet, parseFlags } from "@boxship/base/parse-flags";
import { type Command, type Entry, type Globals, type Invocation } from "./command.ts";
import { errorText } from "./error-text.ts";
import { PlainRefusal, Refusal, ToldRefusal, UsageRefusal } from "./failure.ts";
import { firstOperand } from "./first-operand.ts";
import { globalFlags, REFUSED_GLOBALS } from "./global-flags.ts";
import { describeCommand, describeGroup, didYouMean } from "./help.ts";
import type { Io } from "./io.ts";
import { Session } from "./session.ts";
import { table } from "./table.ts";
import { runPlugin } from "./verbs/plugin.ts";

/**
 * kubectl, whole.
 *
 * @param args words after `kubectl`
 * @returns the exit status
 */
export async function runKubectl(args: readonly string[], io: Io): Promise<number> {
  let session: Session | undefined;
  let failure = 1;
  try {
    const [first = "", ...others] = args;
    if (first === "__complete" || first === "__completeNoDesc") {
      const { complete } = await import("./verbs/completion/complete.ts");
      await complete(others, io, first === "__complete");
      return 0;
    }
    const found = await findCommand(first === "help" ? [...others, "--help"] : args, io);
    if (found === undefined) return 0;
    if (typeof found === "number") return found;
    const { entry, path, rest } = found;
    const command = (await entry.load?.())?.command;
    if (command === undefined) return 0;
    failure = command.failure ?? 1;
    const invocation = parseWords(command, path, rest);
    if (invocation === undefined) {
      io.stdout.write(describeCommand(command, path));
      return 0;
    }
    session = new Session(io, globalsOf(command, invocation));
    refuseGlobals(invocation);
    await command.run(session, invocation);
    return 0;
  } catch (error) {
    if (error instanceof ToldRefusal) io.stdout.write(error.output);
    const { text, status } = errorText(error, session?.host ?? "");
    io.stderr.write(text);
    return error instanceof PlainRefusal ? status : Math.max(status, failure);
  } finally {
    session?.[Symbol.dispose]();
  }
}

interface Found {
  readonly entry: Entry;
  readonly path: string;
  /** What is left of the command line: flags and operands. */
  readonly rest: readonly string[];
}

/** Follows words through the table. Undefined: help was asked for and told. A number: a plugin ended with it. */
async function findCommand(args: readonly string[], io: Io): Promise<Found | number | undefined> {
  let entry: Entry = { name: "kubectl", children: table };
  let path = "kubectl";
  let rest = [...args];
  while (entry.children !== undefined) {
    const at = firstOperand(rest);
    const word = at < 0 ? undefined : rest[at];
    const next = entry.children.find((one) => one.name === word || (word !== undefined && one.aliases?.includes(word)));
    if (next === undefined) {
      const asked = rest.some((one) => one === "-h" || one === "--help");
      if (word !== undefined && (path === "kubectl" || (path === "kubectl create" && rest[0] === word))) {
        const status = await runPlugin([...path.split(" ").slice(1), ...rest], io);
        if (status !== undefined) return status;
      }
      if (entry.load !== undefined && !(word === undefined && asked)) break;
      if (word !== undefined && path !== "kubectl" && !asked) {
        throw new UsageRefusal(`unknown command ${JSON.stringify(word)}`, path);
      }
      if (word !== undefined && path === "kubectl") {
        throw new Refusal(
          `unknown command ${JSON.stringify(word)} for ${JSON.stringify(path)}${didYouMean(word, entry)}`,
        );
      }
      (asked || path === "kubectl" ? io.stdout : io.stderr).write(describeGroup(entry, path));
      if (!asked && path !== "kubectl") throw new PlainRefusal("");
      return undefined;
    }
    if (next.refused !== undefined) throw new Refusal(`${path} ${next.name} is not supported: ${next.refused}`);
    rest = rest.toSpliced(at, 1);
    path = `${path} ${next.name}`;
    entry = next;
  }
  return { entry, path, rest };
}

/** Undefined: help was asked for. */
function parseWords(command: Command, path: string, words: readonly string[]): Invocation | undefined {
  const flags: ParsedSet = { ...globalFlags, ...command.flags };
  const dash = words.indexOf("--");
  try {
    const { values, changed, operands } = parseFlags(flags, words);
    const missing = (command.required ?? []).filter((name) => !changed.has(name));
    if (missing.length > 0) {
      throw new PlainRefusal(
        `error: required flag(s) ${missing.map((name) => JSON.stringify(name)).join(", ")} not set`,
      );
    }
    const before = dash < 0 ? undefined : operands.length - (words.length - dash - 1);
    return { flags: values, changed, operands, dash: before, path };
  } catch (error) {
    if (error instanceof HelpRequested) return undefined;
    if (!(error instanceof FlagError)) throw error;
    throw new PlainRefusal(`error: ${error.message}\nSee '${path} --help' for usage.`);
  }
}

/** Global flags; those that the command has its own of stand as if they were not given. */
function globalsOf(command: Command, { flags }: Invocation): Globals {
  const own = Object.keys(globalFlags).filter((name) => Object.hasOwn(command.flags, name));
  const initial = own.map((name) => [name, globalFlags[name as keyof typeof globalFlags].initial]);
  return { ...flags, ...Object.fromEntries(initial) } as Globals;
}

function refuseGlobals({ changed }: Invocation): void {
  const refused = REFUSED_GLOBALS.find((name) => changed.has(name));
  if (refused !== undefined) throw new Refusal(`--${refused} is not supported`);
}
