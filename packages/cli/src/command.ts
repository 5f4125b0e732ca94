import type { Context } from "./context.ts";
import type { Failure } from "./failure.ts";
import type { CompletionKind, FlagSet, FlagValues } from "./flags/flag.ts";

export interface Invocation<S extends FlagSet> {
  readonly flags: FlagValues<S>;
  /** Names of the flags that were given. */
  readonly changed: ReadonlySet<string>;
  readonly operands: readonly string[];
  /** The command's words after the program's name, e.g. `container run`. */
  readonly path: string;
}

/** One command: its grammar and what it does. */
export interface Command<S extends FlagSet = FlagSet> {
  /** After the command's name, e.g. `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  readonly usage: string;
  readonly summary: string;
  readonly flags: S;
  /** Least and most operands. @default { min: 0, max: 0 } */
  readonly operands?: { readonly min?: number; readonly max?: number };
  /** Whether flags may follow operands. @default true */
  readonly interspersed?: boolean;
  /** Every word is an operand, flags too. @default false */
  readonly raw?: boolean;
  /** What operands name; of a list, the last for all that follow. @default "none" */
  readonly completes?: CompletionKind | readonly CompletionKind[];
  /** For commands with a grammar of their own: what could stand at the end of their words, the last of which is typed. */
  readonly complete?: (context: Context, words: readonly string[]) => Promise<readonly string[]>;
  /** @throws Failure with the exit status; anything else is an error of ours */
  run(context: Context, invocation: Invocation<S>): Promise<void>;
}

/** Gives a command's `run` the types of its flags. */
export function defineCommand<const S extends FlagSet>(command: Command<S>): Command<S> {
  return command;
}

/** A command in the tree, loaded when it is called. */
export interface CommandEntry {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
  /** Not in the help text: the short form of a management command, for instance. @default false */
  readonly hidden?: boolean;
}

/** Commands under one word, such as `container`. */
export interface CommandGroup {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly children: readonly (CommandEntry | CommandGroup)[];
  /** What is said of a word that is no command of the group's. @default in this program's own words */
  readonly unknown?: (word: string) => Failure;
}

export function isGroup(entry: CommandEntry | CommandGroup): entry is CommandGroup {
  return "children" in entry;
}
