import { FlagError, HelpRequested, parseFlags } from "@boxship/base/parse-flags";
import type { KustomizeIo } from "../edit/context.ts";
import { BuildFailure } from "../failure.ts";
import { COMMANDS, type KustomizeCommand, REFUSED_COMMANDS } from "./commands.ts";

/**
 * kustomize, whole.
 *
 * @param args words after `kustomize`
 * @returns the exit status
 */
export async function runKustomize(args: readonly string[], io: KustomizeIo): Promise<number> {
  try {
    const found = find(args);
    if (found === undefined) {
      io.stdout.write(overview(args));
      return 0;
    }
    const { command, rest } = found;
    const parsed = parse(command, rest);
    if (parsed === undefined) io.stdout.write(help(command));
    else await command.run(io, parsed.operands, parsed.values, parsed.changed);
    return 0;
  } catch (error) {
    if (!(error instanceof BuildFailure)) throw error;
    io.stderr.write(`Error: ${error.message.trimEnd()}\n`);
    return 1;
  }
}

interface Found {
  readonly command: KustomizeCommand;
  readonly rest: readonly string[];
}

/** Undefined: what there is was asked for. */
function find(args: readonly string[]): Found | undefined {
  for (const length of [3, 2, 1]) {
    const words = args.slice(0, length).join(" ");
    const command = COMMANDS.find((one) => one.words === words && length === words.split(" ").length);
    if (command !== undefined) return { command, rest: args.slice(length) };
    const why = REFUSED_COMMANDS.get(words);
    if (why !== undefined) throw new BuildFailure(`kustomize ${words} is not supported: ${why}`);
  }
  const words = args.filter((word) => !word.startsWith("-"));
  const known =
    words.length === 0 || words[0] === "help" || COMMANDS.some((one) => one.words.startsWith(`${words.join(" ")} `));
  if (known) return undefined;
  throw new BuildFailure(`unknown command ${JSON.stringify(words.join(" "))} for "kustomize"`);
}

function parse(command: KustomizeCommand, rest: readonly string[]) {
  try {
    return parseFlags(command.flags, rest);
  } catch (error) {
    if (error instanceof HelpRequested) return undefined;
    if (error instanceof FlagError) throw new BuildFailure(error.message);
    throw error;
  }
}

function overview(args: readonly string[]): string {
  const prefix = args.filter((word) => !word.startsWith("-") && word !== "help").join(" ");
  const rows = COMMANDS.filter(({ words }) => words.startsWith(prefix)).map(
    ({ words, usage, summary }) => `  ${`${words} ${usage}`.trimEnd().padEnd(38)} ${summary}`,
  );
  return `Usage:\n  kustomize COMMAND [flags]\n\nAvailable Commands:\n${rows.join("\n")}\n`;
}

function help({ words, usage, summary, flags }: KustomizeCommand): string {
  const rows = Object.entries(flags)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { short }]) => `  ${short === undefined ? "    " : `-${short}, `}--${name}`);
  const options = rows.length === 0 ? "" : `\nFlags:\n${rows.join("\n")}\n`;
  return `${summary}\n\nUsage:\n  kustomize ${words}${usage === "" ? "" : ` ${usage}`} [flags]\n${options}`;
}
