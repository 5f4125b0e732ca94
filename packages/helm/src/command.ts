import type { FlagValues, ParsedSet } from "@boxship/base/parse-flags";
import type { Io, Session } from "@boxship/kubectl/cluster";
import type { clusterFlags } from "./cluster-flags.ts";

export type ClusterFlags = FlagValues<typeof clusterFlags>;

export interface Invocation<S extends ParsedSet = ParsedSet> {
  readonly flags: FlagValues<S> & ClusterFlags;
  readonly changed: ReadonlySet<string>;
  readonly operands: readonly string[];
}

/** Where logins to registries are kept. */
export interface Logins {
  store(host: string, username: string, password: string): Promise<void>;
  erase(host: string): Promise<void>;
}

/** The surroundings of the program. */
export interface HelmIo extends Io {
  /** @default logins are refused */
  readonly logins?: Logins;
}

/** What commands work with. */
export interface Surroundings {
  readonly io: HelmIo;
  /** The connection to the cluster; made when it is first asked for. */
  cluster(): Promise<Session>;
  /** The namespace of the flags, of the configuration, or `default`. */
  namespace(): Promise<string>;
  print(line: string): void;
  warn(line: string): void;
}

export interface Command<S extends ParsedSet = ParsedSet> {
  readonly usage: string;
  readonly summary: string;
  readonly flags: S;
  /** How many operands there may be. */
  readonly operands: { readonly min: number; readonly max: number };
  run(surroundings: Surroundings, invocation: Invocation<S>): Promise<void>;
}

/** Gives a command's `run` the types of its flags. */
export function defineCommand<const S extends ParsedSet>(command: Command<S>): Command<S> {
  return command;
}

export interface Entry {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly load?: () => Promise<{ readonly command: Command }>;
  readonly children?: readonly Entry[];
  /** Its words are another command's, flags and all; it is not told of in texts. */
  readonly raw?: boolean;
  /** Why it is refused. */
  readonly refused?: string;
}
