import type { FlagValues, ParsedSet } from "@boxship/base/parse-flags";
import type { globalFlags } from "./global-flags.ts";
import type { Session } from "./session.ts";

export type Globals = FlagValues<typeof globalFlags>;

export interface Invocation<S extends ParsedSet = ParsedSet> {
  readonly flags: FlagValues<S>;
  /** Names of the flags that were given, global ones too. */
  readonly changed: ReadonlySet<string>;
  readonly operands: readonly string[];
  /** How many operands stood before `--`; undefined where there is none. */
  readonly dash: number | undefined;
  /** `kubectl get`, as messages have it. */
  readonly path: string;
}

/** One verb: its flags, and what it does. */
export interface Command<S extends ParsedSet = ParsedSet> {
  readonly usage: string;
  readonly summary: string;
  readonly flags: S;
  /** Flags that must be given. */
  readonly required?: readonly string[];
  /** Exit status of failures. @default 1 */
  readonly failure?: number;
  run(session: Session, invocation: Invocation<S>): Promise<void>;
}

/** Gives a command's `run` the types of its flags. */
export function defineCommand<const S extends ParsedSet>(command: Command<S>): Command<S> {
  return command;
}

export interface Entry {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** Loaded when it is called. Absent for words that only stand before others. */
  readonly load?: () => Promise<{ readonly command: Command }>;
  readonly children?: readonly Entry[];
  /** In lists of commands. @default its command's */
  readonly summary?: string;
  /** It is not told of. @default false */
  readonly hidden?: boolean;
  /** Why it is refused. */
  readonly refused?: string;
}
