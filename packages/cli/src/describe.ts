import { type Command, type CommandEntry, type CommandGroup, isGroup } from "./command.ts";
import { globalFlags } from "./flags/global-flags.ts";
import { describeFlags } from "./flags/help.ts";

const width = (): number => process.stdout.columns || 80;

function rows(entries: readonly { readonly name: string; readonly summary: string }[]): string {
  const column = Math.max(0, ...entries.map(({ name }) => name.length)) + 2;
  return entries.map(({ name, summary }) => `  ${name.padEnd(column)}${summary}\n`).join("");
}

/** Help of the whole program. */
export function describeProgram(entries: readonly (CommandEntry | CommandGroup)[]): string {
  const shown = entries.filter((entry) => isGroup(entry) || !entry.hidden);
  const groups = shown.filter((entry): entry is CommandGroup => isGroup(entry));
  const commands = shown.filter((entry): entry is CommandEntry => !isGroup(entry));
  return [
    "Usage:  boxship [OPTIONS] COMMAND [ARG...]\n\n",
    "One program that is your container engine and your Kubernetes\n\n",
    `Commands:\n${rows(commands)}\n`,
    `Management Commands:\n${rows(groups)}\n`,
    `Options:\n${describeFlags(globalFlags, width())}\n\n`,
    "Run 'boxship COMMAND --help' for more information on a command.\n",
  ].join("");
}

/** Help of a management command. */
export function describeGroup(group: CommandGroup, path: string): string {
  return [
    `Usage:  boxship ${path} COMMAND\n\n${group.summary}\n\n`,
    `Commands:\n${rows(group.children.filter((child) => isGroup(child) || !child.hidden))}\n`,
    `Run 'boxship ${path} COMMAND --help' for more information on a command.\n`,
  ].join("");
}

/** Help of one command. */
export function describeCommand(command: Command, path: string): string {
  const flags = describeFlags(command.flags, width());
  return [
    `Usage:  boxship ${path}${command.usage === "" ? "" : ` ${command.usage}`}\n\n${command.summary}\n`,
    flags === "" ? "" : `\nOptions:\n${flags}\n`,
  ].join("");
}
