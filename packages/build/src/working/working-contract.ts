import type { StreamSession } from "@boxship/engine";

/**
 * Working containers: file systems with a configuration that are changed step by step and become images (`buildah from`,
 * `run`, `copy`, `config`, `commit`). They are no containers of the engine: nothing in them runs unless a command is run,
 * and lists of containers do not show them.
 *
 * Promises:
 * - What was answered is durable. They survive the process; those that were mounted are mounted again.
 * - They keep the layers below them, also when their image is removed.
 * - Removing one leaves nothing.
 *
 * Bodies are the builder's own JSON; they are read strictly: what is not known is refused by name.
 */
export interface WorkingDoor {
  /** @param body {@link CreateWorking} */
  create(body: unknown, signal: AbortSignal): Promise<WorkingView>;
  list(): readonly WorkingView[];
  /** By name, id, or the beginning of an id. @throws NotFound */
  get(ref: string): WorkingView;
  rename(ref: string, name: string): Promise<void>;
  /** Ends what runs in it. */
  remove(ref: string): Promise<{ readonly id: string }>;
  /** @param body {@link WorkingChanges} */
  configure(ref: string, body: unknown): Promise<WorkingView>;
  /** Mounts the file system until it is unmounted. @returns where */
  mount(ref: string): Promise<string>;
  /** @returns whether it was mounted */
  unmount(ref: string): Promise<boolean>;
  /**
   * Copies into the file system. The body begins with the length of a JSON text (four bytes, big endian) and the text, a
   * {@link WorkingCopy}; then comes a tar with the files of its sources, each below `main/`.
   */
  copy(
    ref: string,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<{ /** 64 hex digits, of what was copied. */ readonly digest: string }>;
  /** @param body {@link WorkingCommit} */
  commit(ref: string, body: unknown, signal: AbortSignal): Promise<{ readonly id: string }>;
  /** Prepares a command. @param body {@link WorkingCommand} */
  createRun(ref: string, body: unknown): { readonly id: string };
  /** Starts a prepared command; it ends with the caller's streams. @throws StartFailed the command cannot be executed */
  startRun(id: string, signal: AbortSignal): Promise<StreamSession>;
  /** How far a command is; `exitCode` once it has ended. */
  run(id: string): { readonly running: boolean; readonly exitCode?: number };
  resizeRun(id: string, size: { readonly height: number; readonly width: number }): void;
}

export interface CreateWorking {
  /** An image that is here, or `scratch`. */
  readonly from: string;
  /** @default the image's last component with `-working-container`, and a number where that is taken */
  readonly name?: string;
  /** @default what `run` says */
  readonly settings?: WorkingSettings;
}

/** How commands are run in it. */
export interface WorkingSettings {
  /** `name:address` */
  readonly extraHosts?: readonly string[];
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly cgroupParent?: string;
  /** Bytes. */
  readonly memory?: number;
  readonly memorySwap?: number;
  readonly cpuShares?: number;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** @default "default" */
  readonly network?: string;
  /** Bytes. */
  readonly shmSize?: number;
  readonly ulimits?: readonly WorkingUlimit[];
  readonly mounts?: readonly WorkingMount[];
}

export interface WorkingUlimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

export interface WorkingMount {
  readonly type: "bind" | "tmpfs" | "cache";
  /** A path of this host; the id of a cache. */
  readonly source?: string;
  readonly target: string;
  readonly readOnly?: boolean;
}

/** Null takes something away. */
export interface WorkingChanges {
  readonly env?: Readonly<Record<string, string | null>>;
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly annotations?: Readonly<Record<string, string | null>>;
  readonly ports?: Readonly<Record<string, true | null>>;
  readonly volumes?: Readonly<Record<string, true | null>>;
  /** Takes all of these away before the others are set. */
  readonly clear?: readonly ("env" | "labels" | "annotations" | "ports" | "volumes")[];
  readonly cmd?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly shell?: readonly string[];
  readonly onBuild?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly stopSignal?: string;
  readonly hostname?: string;
  readonly domainname?: string;
  /** Empty: no check. */
  readonly healthcheck?: readonly string[];
  /** Nanoseconds. */
  readonly healthInterval?: number;
  readonly healthTimeout?: number;
  readonly healthStartPeriod?: number;
  readonly healthRetries?: number;
  readonly author?: string;
  readonly comment?: string;
  readonly createdBy?: string;
  readonly historyComment?: string;
  readonly architecture?: string;
  readonly os?: string;
  readonly osVersion?: string;
  readonly osFeatures?: readonly string[];
  readonly variant?: string;
  /** Entries of the image's history: what was done. */
  readonly history?: readonly string[];
}

export interface WorkingCopy {
  readonly kind: "copy" | "add";
  /** Paths below `main/`; for `add` also addresses. With `from`, paths in that tree. */
  readonly sources: readonly string[];
  /** @default the working directory */
  readonly destination?: string;
  /** A working container or an image. */
  readonly from?: string;
  readonly chown?: string;
  readonly chmod?: string;
  /** Put an entry into the image's history. @default false */
  readonly addHistory?: boolean;
}

export interface WorkingCommand {
  readonly args: readonly string[];
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly hostname?: string;
  readonly terminal?: boolean;
  readonly height?: number;
  readonly width?: number;
  readonly mounts?: readonly WorkingMount[];
  readonly network?: string;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly addHistory?: boolean;
}

export interface WorkingCommit {
  /** @default none */
  readonly names?: readonly string[];
  /** One layer for everything. @default false */
  readonly squash?: boolean;
  /** Seconds since the epoch: every time in the new layer is at most this one. */
  readonly timestamp?: number;
  /** @default false */
  readonly omitHistory?: boolean;
  readonly unsetEnv?: readonly string[];
}

/** A working container as its users see it; field names are buildah's. */
export interface WorkingView {
  readonly id: string;
  readonly name: string;
  /** As the image is called, `scratch` for nothing. */
  readonly fromImage: string;
  /** `sha256:…`, empty for nothing. */
  readonly fromImageId: string;
  /** Of its manifest; empty where there is none. */
  readonly fromImageDigest: string;
  /** RFC 3339. */
  readonly created: string;
  /** Empty where it is not mounted. */
  readonly mountPoint: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** The image's document as a commit would write it, without layers of its own. */
  readonly document: unknown;
  readonly createdBy: string;
  readonly comment: string;
  readonly hostname: string;
  readonly domainname: string;
}
