/** What the program that becomes a command of a build is told, as JSON on descriptor 3. */
export interface InRootRequest {
  readonly root: string;
  /** Absolute in the root. */
  readonly cwd: string;
  readonly uid: number;
  /** The primary one first. */
  readonly groups: readonly number[];
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly limits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  /** Those that stay where it has a user namespace of its own. */
  readonly capabilities: readonly string[];
  /** What to mount first, in this order, in a mount namespace of its own; undefined where there is none. */
  readonly mounts: readonly InRootMount[] | undefined;
}

export interface InRootMount {
  /** Undefined: a file system in memory. */
  readonly source: string | undefined;
  /** Absolute in the root; made when it is absent. */
  readonly target: string;
  readonly readOnly: boolean;
  /** Of a file system in memory. */
  readonly data?: string;
}

/** Why there is no command, as JSON on descriptor 4, which is closed without a word when there is one. */
export interface InRootFailure {
  readonly message: string;
  /** 127: there is no such program. 126: it cannot be executed. Undefined: something else. */
  readonly exitCode?: 126 | 127;
}

export const REQUEST_DESCRIPTOR = 3;
export const FAILURE_DESCRIPTOR = 4;
/** First argument of the daemon's program when it is to become a command. */
export const RUN_IN_ROOT = "--run-in-root";
