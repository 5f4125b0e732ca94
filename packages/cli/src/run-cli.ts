import { BoxshipError, errorMessage, systemCode } from "@boxship/base/errors";
import { isNobodyThere } from "./api-client/api-error.ts";
import { ApiClient } from "./api-client/client.ts";
import { type Command, type CommandEntry, type CommandGroup, isGroup } from "./command.ts";
import type { Context } from "./context.ts";
import type { ConfigFile } from "./credentials/config-file.ts";
import { Failure, FlagError } from "./failure.ts";
import { globalFlags } from "./flags/global-flags.ts";
import { HelpRequested, parseFlags } from "./flags/parse-flags.ts";
import { parseHost, resolveInstance } from "./instance.ts";
import { REFUSED_WORDS } from "./refused-words.ts";

type CommandTable = readonly (CommandEntry | CommandGroup)[];

/** Exit status that shells give a program that wrote to a closed pipe. */
const BROKEN_PIPE = 141;

/**
 * The whole program: finds the command, runs it, prints what went wrong, and ends the process with the exit status.
 *
 * @param argv words after the program's name
 * @param commands what there is to find
 */
export async function runCli(argv: readonly string[], commands: CommandTable): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    // `boxship ps | head`: whoever read us has had enough, which is no failure.
    stream.on("error", (error) => process.exit(systemCode(error) === "EPIPE" ? BROKEN_PIPE : 1));
  }
  const status = await run(argv, commands);
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write("", done))));
  process.exit(status);
}

async function run(argv: readonly string[], commands: CommandTable): Promise<number> {
  try {
    await dispatch(argv, commands);
    return 0;
  } catch (error) {
    if (error instanceof Failure) {
      if (error.message !== "") process.stderr.write(`${error.message}\n`);
      if (error.remedy !== undefined) process.stderr.write(`Hint: ${error.remedy}\n`);
      return error.status;
    }
    const debug = error instanceof Error && (argv[0] === "-D" || argv[0] === "--debug") ? error.stack : undefined;
    process.stderr.write(`boxship: ${debug ?? errorMessage(error)}\n`);
    if (error instanceof BoxshipError && error.remedy !== undefined) process.stderr.write(`Hint: ${error.remedy}\n`);
    return 1;
  }
}

async function dispatch(argv: readonly string[], commands: CommandTable): Promise<void> {
  const { values: flags, changed, operands } = parseGlobal(argv);
  for (const flag of ["name", "root"] as const) requireValue(flag, flags[flag], changed);
  if (flags.version) {
    const { versionLine } = await import("./version.ts");
    process.stdout.write(`${versionLine()}\n`);
    return;
  }
  const [word, ...rest] = operands;
  if (word === undefined || flags.help) {
    const { describeProgram } = await import("./describe.ts");
    (flags.help ? process.stdout : process.stderr).write(describeProgram(commands));
    if (!flags.help) throw new Failure("");
    return;
  }
  const env = flags.config === "" ? process.env : { ...process.env, DOCKER_CONFIG: flags.config };
  using context = createContext(flags, env);
  await runEntry(context, { word, rest, within: commands, path: "" });
}

/** An unset variable in a script must not lead to another instance than the one that was meant. */
function requireValue(flag: string, value: string, changed: ReadonlySet<string>): void {
  if (value !== "" || !changed.has(flag)) return;
  throw new Failure(`--${flag} is empty`, { status: 125, remedy: `say which, or leave --${flag} out` });
}

function parseGlobal(argv: readonly string[]) {
  try {
    return parseFlags(globalFlags, argv, { interspersed: false });
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    throw new Failure(
      `${error.message}\n\nUsage:  boxship [OPTIONS] COMMAND [ARG...]\n\nRun 'boxship --help' for more information`,
      { status: 125 },
    );
  }
}

function createContext(
  flags: { readonly host: string; readonly name: string; readonly root: string },
  env: NodeJS.ProcessEnv,
): Context & Disposable {
  const instance = resolveInstance({ name: flags.name, root: flags.root, env });
  const host = flags.host || env["BOXSHIP_HOST"];
  const own = `${instance.runDir}/engine.sock`;
  const endpoint = host ? parseHost(host) : ({ kind: "unix", path: own } as const);
  // Only our own instance can be started; somebody else's address is somebody else's business.
  const recover = async (cause: unknown) => {
    if (host || !isNobodyThere(cause)) return false;
    const { startDaemon } = await import("./api-client/start-daemon.ts");
    await startDaemon(instance, own);
    return true;
  };
  const check = async (): Promise<void> => {
    const { requireRoot } = await import("./api-client/require-root.ts");
    await requireRoot(instance, endpoint);
  };
  const api = new ApiClient(endpoint, recover, instance.root === undefined ? undefined : check);
  let config: Promise<ConfigFile> | undefined;
  const readConfig = async (): Promise<ConfigFile> => (await import("./credentials/config-file.ts")).loadConfig(env);
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env,
    instance,
    endpoint,
    api,
    config: () => (config ??= readConfig()),
    [Symbol.dispose]: () => api[Symbol.dispose](),
  };
}

interface Call {
  readonly word: string;
  readonly rest: readonly string[];
  readonly within: CommandTable;
  /** Words before `word`, each followed by a space. */
  readonly path: string;
}

function find(word: string, within: Call["within"]): CommandEntry | CommandGroup | undefined {
  return within.find((entry) => entry.name === word || entry.aliases?.includes(word));
}

async function runEntry(context: Context, { word, rest, within, path }: Call): Promise<void> {
  const entry = find(word, within);
  const parent = `boxship ${path}`.trimEnd();
  if (entry === undefined) {
    const refused = path === "" ? REFUSED_WORDS.get(word) : undefined;
    if (refused !== undefined) throw new Failure(`boxship ${word}: ${refused.why}`, { remedy: refused.remedy });
    throw new Failure(
      `boxship: unknown command: ${parent} ${word}\n\n${path === "" ? "" : `Usage:  ${parent}\n\n`}Run '${parent} --help' for more information`,
    );
  }
  const name = `${path}${entry.name}`;
  if (!isGroup(entry)) {
    const { command } = await entry.load();
    await runCommand(context, command, name, rest);
    return;
  }
  const [next, ...more] = rest;
  if (next === undefined || next === "--help" || next === "-h") {
    const { describeGroup } = await import("./describe.ts");
    context.stdout.write(describeGroup(entry, name));
    return;
  }
  if (next.startsWith("-")) {
    throw new Failure(
      `unknown flag: ${next}\n\nUsage:  boxship ${name} COMMAND\n\nRun 'boxship ${name} --help' for more information`,
      { status: 125 },
    );
  }
  if (entry.unknown !== undefined && find(next, entry.children) === undefined) throw entry.unknown(next);
  await runEntry(context, { word: next, rest: more, within: entry.children, path: `${name} ` });
}

async function runCommand(context: Context, command: Command, path: string, args: readonly string[]): Promise<void> {
  const usage = `Usage:  boxship ${path}${command.usage === "" ? "" : ` ${command.usage}`}`;
  const more = `Run 'boxship ${path} --help' for more information`;
  try {
    const { values, changed, operands } = command.raw
      ? { values: {}, changed: new Set<string>(), operands: args }
      : parseFlags(command.flags, args, { interspersed: command.interspersed ?? true });
    const problem = countProblem(command, operands.length);
    if (problem !== undefined) {
      throw new Failure(`boxship: 'boxship ${path}' ${problem}\n\n${usage}\n\n${more}`);
    }
    await command.run(context, { flags: values, changed, operands, path });
  } catch (error) {
    if (error instanceof HelpRequested) {
      const { describeCommand } = await import("./describe.ts");
      context.stdout.write(describeCommand(command, path));
      return;
    }
    if (!(error instanceof FlagError)) throw error;
    throw new Failure(`${error.message}\n\n${usage}\n\n${more}`, { status: 125, cause: error });
  }
}

const plural = (count: number): string => `${count} argument${count === 1 ? "" : "s"}`;

/** What is wrong with the number of operands. */
function countProblem({ operands = {} }: Command, count: number): string | undefined {
  const { min = 0, max = 0 } = operands;
  if (count >= min && count <= max) return undefined;
  if (max === 0) return "accepts no arguments";
  if (min === max) return `requires ${plural(min)}`;
  if (max === Number.POSITIVE_INFINITY) return `requires at least ${plural(min)}`;
  if (min === 0) return `requires at most ${plural(max)}`;
  return `requires at least ${min} and at most ${plural(max)}`;
}
