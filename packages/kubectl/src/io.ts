import type { Readable } from "node:stream";

/** Where output goes. */
export interface Sink {
  /** @param taken called when there is room for more; sinks that know nothing of that leave it out */
  write(data: string | Uint8Array, taken?: () => void): unknown;
  readonly isTTY?: boolean | undefined;
  /** Of a terminal, which tells `resize` when they change. */
  readonly columns?: number;
  readonly rows?: number;
  on?(event: "resize", listener: () => void): unknown;
  off?(event: "resize", listener: () => void): unknown;
}

/** What `kubectl kustomize --enable-helm` says of charts. */
export interface KustomizeHelm {
  /** A program. @default helm as it is built in */
  readonly command?: string;
  readonly kubeVersion: string;
  readonly apiVersions: readonly string[];
  readonly debug: boolean;
}

export interface KustomizeOptions {
  /** `none`: objects stay as they were given. @default "legacy" */
  readonly reorder?: "legacy" | "none";
  /** Files outside of a kustomization's directory are read. @default false */
  readonly unrestricted?: boolean;
  /** How charts are rendered. @default they are refused */
  readonly helm?: KustomizeHelm;
  /** Told what is deprecated. */
  readonly warn: (line: string) => void;
}

export interface RunOptions {
  /** It has this program's terminal; its output is not collected. @default false */
  readonly terminal?: boolean;
  /** It reads what this program could read. @default false */
  readonly input?: boolean;
  /** What it reads. @default nothing */
  readonly text?: string;
  /** Besides this program's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Everything of the surroundings that kubectl touches. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Passes all that is typed and shown as it is, until it is disposed. @default there is no terminal */
  readonly rawTerminal?: (() => Promise<Disposable>) | undefined;
  /** Runs a program to its end: editors, diff. @default such commands are refused */
  readonly run?:
    | ((
        program: string,
        args: readonly string[],
        options?: RunOptions,
      ) => Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }>)
    | undefined;
  /** Builds a kustomization: a text of YAML documents, or an error that says what is wrong. @default none is built */
  readonly kustomize?: ((path: string, options: KustomizeOptions) => Promise<string>) | undefined;
  /** Ends what would go on: watches, proxies. @default never */
  readonly signal?: AbortSignal | undefined;
}
