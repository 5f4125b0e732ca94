import type { Readable, Writable } from "node:stream";
import { type Clock, type ErrorDetails, FailedPrecondition, type Logger } from "@boxship/base";
import type { CgroupLayout, CgroupStats } from "@boxship/kernel";
import type { OciProcess, OciResources, OciSpec } from "./spec/oci.ts";

/**
 * Containers on an OCI runtime under conmon.
 *
 * One container is one bundle directory below `runDir`, one conmon process and one entry in the runtime's state
 * directory. conmon holds the terminal, the log and the exit status, so that everything but an open attach or exec
 * session outlives the daemon.
 *
 *     absent ──create──▶ created ──start──▶ running ◀──pause/resume──▶ paused
 *        ▲                  │                  │
 *        └──────delete──────┴────── stopped ◀──┘
 *
 * Calls for one id are serialized by the caller; calls for different ids run side by side.
 */

export interface RuntimeOptions {
  /** Directory of this instance's run-time state: bundles, pid files, exit files, sockets. Made when missing. */
  readonly runDir: string;
  /** Where programs may be executed: `/run` often allows that to nobody. @default runDir */
  readonly probeDir?: string;
  /** Parent of all containers' cgroups, e.g. `/boxship`. */
  readonly cgroupParent: string;
  /**
   * Directories below which root filesystems and network namespaces will be mounted. They are made shared mounts when
   * a runtime needs a mount namespace of its own (crun on hybrid cgroups), so that it sees what is mounted later.
   * @default none
   */
  readonly mountRoots?: readonly string[];
  /** OCI runtimes by name. @default crun and runc, found in PATH */
  readonly runtimes?: Readonly<Record<string, { readonly path: string }>>;
  /** More of them, or others under these names. @default none */
  readonly moreRuntimes?: Readonly<Record<string, { readonly path: string }>>;
  /** @default the fastest that runs a container here */
  readonly defaultRuntime?: string;
  /** conmon's binary. @default found in PATH */
  readonly conmon?: string;
  /** Milliseconds after which a runtime that does not come back is given up, and killed. @default 120000 */
  readonly createTimeout?: number;
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface RuntimeDescription {
  readonly name: string;
  readonly path: string;
  readonly version: string;
  /** Whether a container was seen running under it on this host. */
  readonly usable: boolean;
  /** Why it is not. */
  readonly reason?: string;
  /**
   * It gives the machine's /dev/null to the root of containers in a user namespace (crun before 1.24): not for these.
   * @default false
   */
  readonly givesDevicesAway?: boolean;
  /** It knows the mount option `rro` (crun since 1.4, runc since 1.1). @default false */
  readonly mountsRecursiveReadOnly?: boolean;
}

export interface RuntimeInfo {
  readonly runtimes: readonly RuntimeDescription[];
  readonly default: string;
  readonly conmonVersion: string;
  readonly cgroup: CgroupLayout;
  /** What this host cannot do, as sentences for the user. */
  readonly warnings: readonly string[];
}

export interface CreateContainer {
  /** `[A-Za-z0-9][A-Za-z0-9_.-]*`, at most 128 characters. */
  readonly id: string;
  readonly spec: OciSpec;
  readonly terminal: boolean;
  /** Give the process an open standard input; without it reads end at once. */
  readonly stdin: boolean;
  /**
   * Standard input ends for the process when an attached client ends its side or goes away; otherwise it stays open
   * for the next client. Terminals always stay open. @default false
   */
  readonly stdinOnce?: boolean;
  /** The log file, in the format that `log/` reads. @default no log */
  readonly logPath?: string;
  /** Bytes after which the log begins anew, and what it had is gone: for when nobody rotates it. @default no limit */
  readonly logSizeLimit?: number;
  /** @default the default runtime */
  readonly runtime?: string;
  /** Gives up: the runtime is killed, and nothing is left. */
  readonly signal?: AbortSignal;
  /** Directory of a checkpoint. The container goes on where that was made: it runs at once and is not started. */
  readonly restoreFrom?: string;
}

export interface CheckpointRequest {
  /** Where the checkpoint is written; made when missing. */
  readonly directory: string;
  /** Whether the container ends with it; otherwise it goes on. */
  readonly exit: boolean;
}

export interface ExitStatus {
  /** 0 … 255; 128 + n after signal n. */
  readonly code: number;
  /** The signal's number, as far as the code tells: a process may also exit with such a code by itself. */
  readonly signal?: number;
  readonly finishedAt: Date;
  /** The container's cgroup counted a kill for lack of memory. */
  readonly oomKilled: boolean;
}

export type ContainerState =
  | { readonly status: "absent" }
  | { readonly status: "created" | "running" | "paused"; readonly pid: number }
  | { readonly status: "stopped"; readonly exit: ExitStatus };

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** A piece of output; with a terminal everything is `stdout`. */
export interface StreamFrame {
  readonly stream: "stdout" | "stderr";
  readonly data: Buffer;
}

/** Both directions of an attached process. Whoever got it closes it. */
export interface AttachStreams {
  /** Present when it was asked for and the process has one. `end()` ends the process's input (not on a terminal). */
  readonly stdin?: Writable;
  /** Object-mode stream of {@link StreamFrame}, ended when the process has closed its side or has exited. */
  readonly output: Readable;
  /** Ends both directions; idempotent. The process goes on. */
  close(): void;
}

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface ExecRequest {
  /** As a container's id; unique among running execs. */
  readonly execId: string;
  readonly process: OciProcess;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** Discard output and give no streams. @default false */
  readonly detach?: boolean;
}

/**
 * A process that was started in a running container. It belongs to the daemon, as in Docker: when the daemon dies, its
 * pipes break, and the next start kills what is left of it.
 */
export interface ExecHandle {
  /** The process's id on the host. */
  readonly pid: number;
  /** Absent when detached. */
  readonly streams?: AttachStreams;
  /** Never rejects. `oomKilled` is always false. */
  readonly exited: Promise<ExitStatus>;
  resize(size: TerminalSize): void;
}

/**
 * The command could not be executed: it does not exist (`exitCode` 127) or may not be executed (126). The message has
 * Docker's words, e.g. `exec: "nosuch": executable file not found in $PATH`.
 */
export class StartError extends FailedPrecondition {
  readonly exitCode: 126 | 127;

  constructor(message: string, exitCode: 126 | 127, details: ErrorDetails = {}) {
    super(message, details);
    this.exitCode = exitCode;
  }
}

/** One process of a container, as `ps` would show it. */
export interface ProcessInfo {
  readonly pid: number;
  readonly parentPid: number;
  readonly uid: number;
  readonly gid: number;
  /** `S`, `R`, `Z` … with `s`, `l`, `+`, `<`, `N` as ps(1) appends them. */
  readonly state: string;
  /** `pts/0`, or `?`. */
  readonly tty: string;
  readonly startedAt: Date;
  /** Milliseconds of CPU, user and system together. */
  readonly cpuMs: number;
  /** Percent of one CPU over the process's life. */
  readonly cpuPercent: number;
  readonly memoryPercent: number;
  /** Bytes. */
  readonly virtualSize: number;
  /** Bytes. */
  readonly residentSize: number;
  readonly nice: number;
  readonly threads: number;
  /** The name in brackets when there is no command line. */
  readonly command: string;
}

export interface Reconciled {
  /** Containers of this `runDir` that were ended and removed because nobody owns them. */
  readonly removed: readonly string[];
  /** Exec sessions of an earlier daemon that were killed. */
  readonly execsKilled: readonly number[];
}

export interface ContainerRuntimeApi extends AsyncDisposable {
  readonly info: RuntimeInfo;
  /**
   * Writes the bundle, starts conmon, which has the runtime create the container. The process waits before its exec.
   * @throws StartError the command cannot be executed (crun and runc both look before the start)
   * @throws AlreadyExists the id is in use
   * @throws DeadlineExceeded the runtime does not come back
   * @throws Internal with the runtime's own message
   */
  create(container: CreateContainer): Promise<{ readonly pid: number }>;
  /** Kills the container's conmon, when that has stopped working: the container is ended with it. */
  abandon(id: string): void;
  /** Lets a created container go. @throws FailedPrecondition it is not in `created` */
  start(id: string): Promise<void>;
  /**
   * Writes the state of all processes of a container without a terminal to files.
   * @throws Unsupported where CRIU is not installed
   * @throws FailedPrecondition with CRIU's reason, or why there are no checkpoints on this host
   */
  checkpoint(id: string, request: CheckpointRequest): Promise<void>;
  /** The OCI `config.json` of a container, as its runtime has it. */
  specification(id: string): Promise<string>;
  /** Signals process 1, or all. A container that is gone already is no error. */
  kill(id: string, signal: number, options?: { readonly all?: boolean }): Promise<void>;
  /** Freezes all processes; returns when they stand still. */
  pause(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  update(id: string, resources: OciResources): Promise<void>;
  /** @throws StartError the command cannot be executed */
  exec(id: string, request: ExecRequest): Promise<ExecHandle>;
  attach(id: string, options: AttachOptions): Promise<AttachStreams>;
  /** Sets the terminal's size; bursts are joined, the last one counts. */
  resize(id: string, size: TerminalSize): void;
  /** Called once for each container that ends from now on, in the order in which they end. */
  onExit(callback: (id: string, status: ExitStatus) => void): Disposable;
  state(id: string): Promise<ContainerState>;
  /**
   * Takes over a container of an earlier daemon: its state, and from now on its exit through {@link onExit}. One whose
   * conmon died is ended: exit code 137, or what conmon left behind.
   */
  adopt(id: string): Promise<ContainerState>;
  /** Ends and removes everything of the container. Idempotent, also after a crash half-way. */
  delete(id: string): Promise<void>;
  /** Has conmon open the log path afresh; rename the old file first. */
  reopenLog(id: string): Promise<void>;
  /** Counters of the container's cgroup; sections that the host does not count are undefined. */
  stats(id: string): Promise<CgroupStats>;
  /** Process ids on the host. */
  processes(id: string): Promise<readonly number[]>;
  top(id: string): Promise<readonly ProcessInfo[]>;
  /** Ids that have anything left below `runDir`. */
  listLeftovers(): Promise<readonly string[]>;
  /** Deletes every container of this `runDir` that is not in `live`, and kills execs of an earlier daemon. */
  reconcile(live: Iterable<string>): Promise<Reconciled>;
}
