import type { Heredoc } from "./heredoc.ts";
import type { Place } from "./source.ts";

/** A command in one of its two forms. */
export type Command =
  | { readonly form: "exec"; readonly args: readonly string[] }
  /** A line for the shell. */
  | { readonly form: "shell"; readonly line: string };

/** A name and its value; words are as written: quotes and variables are still in them. */
export type Pair = readonly [name: string, value: string];

/** Parts that every instruction has. */
interface Common {
  readonly place: Place;
  /** As it was written, continuation lines joined: `RUN make`. */
  readonly text: string;
  /** Comment lines above, without their `#`; an empty one parts them from what is further up. @default [] */
  readonly comments?: readonly string[];
}

export interface FromInstruction extends Common {
  readonly kind: "from";
  /** As written. */
  readonly image: string;
  readonly platform?: string;
  /** `AS`, as written. */
  readonly as?: string;
  readonly name?: string;
}

export interface ArgInstruction extends Common {
  readonly kind: "arg";
  readonly args: readonly { readonly name: string; readonly value?: string; readonly comment?: string }[];
}

export interface PairsInstruction extends Common {
  readonly kind: "env" | "label";
  readonly pairs: readonly Pair[];
  /** `ENV name value`, which is written with a blank. */
  readonly legacy?: boolean;
}

export interface CommandInstruction extends Common {
  readonly kind: "cmd" | "entrypoint";
  /** Empty: whatever was there before is taken away. */
  readonly command: Command;
}

/** What `--mount=…` asks for. */
export interface RunMount {
  readonly type: "bind" | "cache" | "tmpfs" | "secret" | "ssh";
  readonly target?: string;
  readonly source?: string;
  readonly from?: string;
  readonly id?: string;
  readonly env?: string;
  readonly sharing?: "shared" | "private" | "locked";
  readonly readOnly: boolean;
  readonly required: boolean;
  /** Octal. */
  readonly mode?: number;
  readonly uid?: string;
  readonly gid?: string;
  /** Bytes. */
  readonly size?: number;
}

export interface RunInstruction extends Common {
  readonly kind: "run";
  readonly command: Command;
  readonly heredocs: readonly Heredoc[];
  /** As written; `parseMount` reads them once variables are replaced. */
  readonly mounts: readonly string[];
  readonly network?: "default" | "none" | "host";
  readonly security?: "sandbox" | "insecure";
}

export interface CopyInstruction extends Common {
  readonly kind: "copy" | "add";
  readonly sources: readonly string[];
  readonly destination: string;
  readonly heredocs: readonly Heredoc[];
  readonly from?: string;
  readonly chown?: string;
  readonly chmod?: string;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
  /** `ADD` only. */
  readonly checksum?: string;
  readonly keepGitDirectory?: boolean;
  readonly unpack?: boolean;
}

export interface WordsInstruction extends Common {
  readonly kind: "expose" | "volume" | "shell";
  readonly words: readonly string[];
}

export interface WordInstruction extends Common {
  readonly kind: "user" | "workdir" | "stopsignal" | "maintainer";
  readonly word: string;
}

export interface OnbuildInstruction extends Common {
  readonly kind: "onbuild";
  /** An instruction, kept for the build of an image on top. */
  readonly trigger: string;
}

export interface HealthcheckInstruction extends Common {
  readonly kind: "healthcheck";
  /** Undefined: `NONE`. */
  readonly command: Command | undefined;
  /** Nanoseconds; 0 is the default. */
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

/** An instruction of a stage. */
export type StageInstruction =
  | ArgInstruction
  | PairsInstruction
  | CommandInstruction
  | RunInstruction
  | CopyInstruction
  | WordsInstruction
  | WordInstruction
  | OnbuildInstruction
  | HealthcheckInstruction;

export interface Stage {
  readonly from: FromInstruction;
  /** From 0. */
  readonly index: number;
  /** In lower case. */
  readonly name: string | undefined;
  readonly instructions: readonly StageInstruction[];
}

/** A Containerfile that was read whole. */
export interface Containerfile {
  /** `ARG`s before the first `FROM`. */
  readonly args: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
  readonly escape: "\\" | "`";
  readonly syntax?: string;
  /** What `# check=` says. */
  readonly check?: string;
  /** Of every file that took part, by name: for excerpts. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
  readonly warnings: readonly ParseWarning[];
}

export interface ParseWarning {
  readonly rule: string;
  readonly message: string;
  readonly place: Place;
}
