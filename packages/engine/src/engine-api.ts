import type { Readable, Writable } from "node:stream";
import type { LogBlock } from "@boxship/runtime";
import type { VolumeSnapshot } from "@boxship/storage";
import type {
  ContainerConfig,
  CreateContainerRequest,
  EndpointRequest,
  PortBinding,
  Resources,
  RestartPolicy,
} from "./container/config.ts";
import type { MountChangeOptions, MountToAdd } from "./container/container-mounts.ts";
import type { PortChoice } from "./container/container-ports.ts";
import type { ContainerRecord, MountPoint, PublishedPort } from "./container/record.ts";
import type { ImagesApi, RegistryCredentials } from "./image-api.ts";

export { LogBlock } from "@boxship/runtime";
export type { VolumeSnapshot } from "@boxship/storage";
export * from "./image-api.ts";

/**
 * The engine as its doors see it (`docker-api`, later `cri`, `build` and users of the library). All methods throw only
 * errors of the closed set. `ref` is a container's or image's name, id, or unambiguous prefix of an id.
 */
export interface EngineApi {
  readonly containers: ContainersApi;
  readonly execs: ExecsApi;
  readonly images: ImagesApi;
  readonly networks: NetworksApi;
  readonly volumes: VolumesApi;
  readonly events: EventsApi;
  readonly system: SystemApi;
}

// ── Containers ──────────────────────────────────────────────────────────────────────────────────────────────────────

export interface ContainersApi {
  /** Durable when it resolves. `AlreadyExists`/`Conflict` on a name in use, `NotFound` on an absent image. */
  create(request: CreateContainerRequest): Promise<{ readonly id: string; readonly warnings: readonly string[] }>;
  /** @returns false when it was running already. A failed start throws `StartFailed` and leaves the container created. */
  start(ref: string, from?: CheckpointRef): Promise<boolean>;
  /** Writes the state of a running container to files, durable when it resolves. `FailedPrecondition` says what is in the way. */
  checkpoint(ref: string, checkpoint: CheckpointRef & { readonly exit: boolean }): Promise<void>;
  /** Writes the state and the files of a running container, which goes on, to a tar archive. @throws InvalidArgument */
  archiveCheckpoint(ref: string, archive: CheckpointArchive): Promise<void>;
  /** Names of its checkpoints. @param directory where they are, @default the container's own */
  checkpoints(ref: string, directory?: string): Promise<readonly string[]>;
  removeCheckpoint(ref: string, checkpoint: CheckpointRef): Promise<void>;
  /** Stop signal, grace in seconds (@default the container's, -1 for ever), SIGKILL. @returns false when not running. */
  stop(ref: string, options?: { readonly timeout?: number; readonly signal?: string }): Promise<boolean>;
  restart(ref: string, options?: { readonly timeout?: number; readonly signal?: string }): Promise<void>;
  /** `Conflict` when it is not running. */
  kill(ref: string, signal?: string): Promise<void>;
  pause(ref: string): Promise<void>;
  unpause(ref: string): Promise<void>;
  rename(ref: string, name: string): Promise<void>;
  update(
    ref: string,
    change: { readonly resources?: Resources; readonly restartPolicy?: RestartPolicy },
  ): Promise<{ readonly warnings: readonly string[] }>;
  /** `Conflict` when running without `force`. */
  remove(ref: string, options?: { readonly force?: boolean; readonly volumes?: boolean }): Promise<void>;
  /** Publishes a port, at once if it runs. @returns where it is published now; empty for one that does not run */
  addPort(ref: string, port: string, binding: PortBinding): Promise<readonly PublishedPort[]>;
  /** Takes published ports back, at once if it runs. `NotFound` when none fits. */
  removePort(ref: string, choice: PortChoice): Promise<void>;
  /**
   * Adds a mount, at once if it runs; its writable layer stays as it is. With `recreate` it gets a new process where the
   * kernel refuses that, and runs on as it was when it does not start so. `AlreadyExists` when the place is taken.
   */
  addMount(ref: string, mount: MountToAdd, options?: MountChangeOptions): Promise<MountPoint>;
  /** Takes a mount away as {@link addMount} adds one, with `volume` also its anonymous volume. `NotFound` */
  removeMount(
    ref: string,
    destination: string,
    options?: MountChangeOptions & { readonly volume?: boolean },
  ): Promise<void>;
  /** Removes all containers that do not run and pass the filter; what their writable layers took is given back. */
  prune(
    filter: (container: ContainerView) => boolean,
  ): Promise<{ readonly removed: readonly string[]; readonly reclaimed: number }>;
  /** Newest first. */
  list(options?: { readonly all?: boolean; readonly size?: boolean }): Promise<readonly ContainerView[]>;
  get(ref: string, options?: { readonly size?: boolean }): Promise<ContainerView>;
  /** In blocks, each of one entry at least. */
  logs(ref: string, options: LogsOptions): Promise<AsyncIterable<LogBlock>>;
  /** What its log options add to each entry: labels, variables, a tag. */
  logAttributes(ref: string): Promise<Readonly<Record<string, string>>>;
  attach(ref: string, options: AttachOptions): Promise<StreamSession>;
  /**
   * Resolves once the condition holds. It is registered before the call returns to the event loop, so that an exit
   * right after cannot be missed.
   */
  wait(
    ref: string,
    condition: "not-running" | "next-exit" | "removed",
    signal?: AbortSignal,
  ): Promise<{ readonly exitCode: number; readonly error?: string }>;
  resize(ref: string, size: TerminalSize): Promise<void>;
  /** `ps`-like table of the container's processes. `args` as for `ps(1)`, @default `-ef` */
  top(
    ref: string,
    args?: string,
  ): Promise<{ readonly titles: readonly string[]; readonly rows: readonly (readonly string[])[] }>;
  changes(ref: string): Promise<readonly { readonly kind: "modified" | "added" | "deleted"; readonly path: string }[]>;
  statPath(ref: string, path: string): Promise<PathStat>;
  /** A tar of the path, its base name as first component. */
  getArchive(ref: string, path: string): Promise<{ readonly stat: PathStat; readonly stream: Readable }>;
  /** Unpacks a plain or compressed tar into a directory of the container. */
  putArchive(
    ref: string,
    path: string,
    archive: Readable,
    options?: { readonly noOverwriteDirNonDir?: boolean; readonly copyUidGid?: boolean },
  ): Promise<void>;
  /** The container's whole file system as a tar. */
  export(ref: string): Promise<Readable>;
  stats(ref: string): Promise<ContainerStats>;
  /** Makes an image of the container's image and what the container has changed in it, volumes aside. */
  commit(ref: string, options?: CommitOptions): Promise<{ readonly id: string }>;
}

/** A checkpoint as one file: `checkpoint/` with CRIU's images, `rootfs-diff.tar`, `dump.log`, `stats-dump`, and the caller's files. */
export interface CheckpointArchive {
  /** An absolute path. What is there is replaced. */
  readonly location: string;
  /** Kept as `container.log`. @default none is kept */
  readonly logPath?: string;
  /** What else the archive holds, by name. @param spec the container's OCI configuration */
  readonly files: (spec: string) => Readonly<Record<string, string>>;
  /** Nothing is written then. What CRIU has begun is ended first. */
  readonly signal?: AbortSignal;
}

/** A checkpoint of a container. */
export interface CheckpointRef {
  readonly name: string;
  /** Absolute path of the directory that it is in. @default the container's own, which goes with the container */
  readonly directory?: string;
}

export interface CommitOptions {
  /** `name[:tag]`. @default the image has no name */
  readonly reference?: string;
  readonly comment?: string;
  readonly author?: string;
  /** Freeze the processes of a running container while it is read. @default true */
  readonly pause?: boolean;
  /** Instructions that change the configuration: `CMD`, `ENV` … as in a Containerfile. @default [] */
  readonly changes?: readonly string[];
  /** Goes before the container's own configuration. @default that is all */
  readonly config?: ContainerConfig;
}

/** A container with what is only known while it is looked at. */
export interface ContainerView extends ContainerRecord {
  readonly imageName: string;
  readonly execIds: readonly string[];
  readonly logPath: string;
  readonly resolvConfPath: string;
  readonly hostnamePath: string;
  readonly hostsPath: string;
  readonly sandboxId: string;
  readonly sandboxPath: string;
  readonly health?: HealthView;
  readonly graph: { readonly name: string; readonly data: Readonly<Record<string, string>> };
  /** Only when asked for. */
  readonly size?: { readonly writable: number; readonly rootfs: number };
}

export interface HealthView {
  readonly status: "starting" | "healthy" | "unhealthy";
  readonly failingStreak: number;
  readonly log: readonly {
    readonly start: number;
    readonly end: number;
    readonly exitCode: number;
    readonly output: string;
  }[];
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

export interface LogsOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Milliseconds since the epoch; fractions count. */
  readonly since?: number;
  readonly until?: number;
  /** Last lines; absent means all. */
  readonly tail?: number;
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Replay what was logged so far first. */
  readonly logs: boolean;
  /** Stay attached to the live streams. */
  readonly stream: boolean;
  /** Sequence that detaches, e.g. `ctrl-p,ctrl-q`; only looked for on a terminal's stdin. */
  readonly detachKeys?: string;
}

export interface OutputFrame {
  readonly stream: "stdout" | "stderr";
  readonly data: Buffer;
}

/** Live streams of a container or an exec. */
export interface StreamSession {
  /** With a terminal, all output is one raw stream on stdout. */
  readonly tty: boolean;
  /** Ending it half-closes the process's stdin. Absent when stdin was not asked for or is not open. */
  readonly stdin?: Writable;
  /** Ends when the process has closed its output, or after {@link close}. */
  readonly output: AsyncIterable<OutputFrame>;
  /** Lets go of the streams; the process runs on. */
  close(): void;
}

export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** Go's `os.FileMode` bits, as Docker's header has them. */
  readonly mode: number;
  readonly mtime: number;
  readonly linkTarget: string;
}

/** Raw counters at one moment; the doors compute rates. Times in nanoseconds, sizes in bytes. */
export interface ContainerStats {
  readonly read: number;
  readonly running: boolean;
  readonly pids: { readonly current: number; readonly limit?: number };
  readonly cpu: {
    readonly usage: number;
    readonly user: number;
    readonly system: number;
    readonly perCpu: readonly number[];
    readonly throttledPeriods: number;
    readonly periods: number;
    readonly throttledTime: number;
    /** Of the whole host, all CPUs. */
    readonly hostTotal: number;
    readonly onlineCpus: number;
  };
  readonly memory: {
    readonly usage: number;
    readonly maxUsage?: number;
    readonly limit: number;
    readonly failcnt?: number;
    readonly detail: Readonly<Record<string, number>>;
  };
  readonly io: readonly {
    readonly major: number;
    readonly minor: number;
    readonly op: "read" | "write";
    readonly bytes: number;
    readonly operations: number;
  }[];
  readonly networks: Readonly<
    Record<
      string,
      {
        readonly rxBytes: number;
        readonly rxPackets: number;
        readonly rxErrors: number;
        readonly rxDropped: number;
        readonly txBytes: number;
        readonly txPackets: number;
        readonly txErrors: number;
        readonly txDropped: number;
      }
    >
  >;
}

// ── Exec ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface ExecConfig {
  readonly cmd: readonly string[];
  readonly tty?: boolean;
  readonly attachStdin?: boolean;
  readonly attachStdout?: boolean;
  readonly attachStderr?: boolean;
  readonly env?: readonly string[];
  readonly workingDir?: string;
  readonly user?: string;
  readonly privileged?: boolean;
  readonly detachKeys?: string;
  readonly consoleSize?: readonly [height: number, width: number];
}

export interface ExecView {
  readonly id: string;
  readonly containerId: string;
  readonly config: ExecConfig;
  readonly running: boolean;
  readonly exitCode?: number;
  readonly pid: number;
}

export interface ExecsApi {
  /** `Conflict` when the container is not running or is paused. */
  create(containerRef: string, config: ExecConfig): Promise<string>;
  /** Attached: resolves with the streams once the process runs. */
  start(
    id: string,
    options: { readonly tty?: boolean; readonly consoleSize?: readonly [height: number, width: number] },
  ): Promise<StreamSession>;
  /** Detached: resolves once the process runs. */
  startDetached(id: string): Promise<void>;
  resize(id: string, size: TerminalSize): Promise<void>;
  get(id: string): Promise<ExecView>;
}

// ── Networks ────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface NetworkView {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly driver: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  readonly ipam: {
    readonly driver: string;
    readonly options?: Readonly<Record<string, string>>;
    readonly config: readonly {
      readonly subnet: string;
      readonly ipRange?: string;
      readonly gateway?: string;
      readonly auxiliaryAddresses?: Readonly<Record<string, string>>;
    }[];
  };
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly containers: readonly {
    readonly id: string;
    readonly name: string;
    readonly endpointId: string;
    readonly macAddress: string;
    /** With prefix length, or "". */
    readonly ipv4Address: string;
    readonly ipv6Address: string;
  }[];
}

export interface CreateNetworkRequest {
  readonly name: string;
  /** @default "bridge" */
  readonly driver?: string;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly enableIPv4?: boolean;
  readonly enableIPv6?: boolean;
  readonly ipam?: {
    readonly driver?: string;
    readonly options?: Readonly<Record<string, string>>;
    readonly config?: readonly {
      readonly subnet?: string;
      readonly ipRange?: string;
      readonly gateway?: string;
      readonly auxiliaryAddresses?: Readonly<Record<string, string>>;
    }[];
  };
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface NetworksApi {
  list(): Promise<readonly NetworkView[]>;
  get(ref: string): Promise<NetworkView>;
  create(request: CreateNetworkRequest): Promise<{ readonly id: string; readonly warning: string }>;
  remove(ref: string): Promise<void>;
  connect(ref: string, containerRef: string, endpoint: EndpointRequest): Promise<void>;
  disconnect(ref: string, containerRef: string, force?: boolean): Promise<void>;
  prune(filter: (network: NetworkView) => boolean): Promise<readonly string[]>;
}

// ── Volumes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface VolumeView {
  readonly name: string;
  readonly driver: string;
  readonly mountpoint: string;
  readonly created: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly anonymous: boolean;
  readonly usage?: { readonly size: number; readonly references: number };
}

export interface VolumesApi {
  list(options?: { readonly size?: boolean }): Promise<readonly VolumeView[]>;
  get(name: string): Promise<VolumeView>;
  /** The same name again returns what is there. */
  create(request: {
    readonly name?: string;
    readonly driver?: string;
    readonly options?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  }): Promise<VolumeView>;
  /** With `force` an absent one is success, and snapshots go with it. `Conflict` while it is in use, or has snapshots. */
  remove(name: string, options?: { readonly force?: boolean }): Promise<void>;
  /** Another volume with the same content, or with that of one of its snapshots. */
  clone(
    name: string,
    target: { readonly name: string; readonly labels?: Readonly<Record<string, string>>; readonly snapshot?: string },
  ): Promise<VolumeView>;
  /** `Conflict` while a container has it, running or not. */
  rename(name: string, newName: string): Promise<void>;
  /** Its content as a tar, with everything that a file system knows of it. */
  export(name: string): Promise<Readable>;
  /** A new volume with the content of a plain or compressed tar. */
  import(
    request: { readonly name: string; readonly labels?: Readonly<Record<string, string>> },
    archive: Readable,
    signal?: AbortSignal,
  ): Promise<VolumeView>;
  /** Gives it a limit or a larger one, `512m`. `Conflict` for a first one while a running container has it. */
  limit(name: string, size: string): Promise<VolumeView>;
  /** Keeps a copy of what is in it now. */
  snapshot(name: string, snapshot: string): Promise<void>;
  /** The oldest first. */
  snapshots(name: string): Promise<readonly VolumeSnapshot[]>;
  /** Makes its content what it was. `Conflict` while a running container has it. */
  restoreSnapshot(name: string, snapshot: string): Promise<void>;
  removeSnapshot(name: string, snapshot: string): Promise<void>;
  prune(
    filter: (volume: VolumeView) => boolean,
  ): Promise<{ readonly removed: readonly string[]; readonly reclaimed: number }>;
}

// ── Events and the system ───────────────────────────────────────────────────────────────────────────────────────────

export interface EngineEvent {
  readonly type: "container" | "image" | "network" | "volume" | "daemon";
  readonly action: string;
  readonly actor: { readonly id: string; readonly attributes: Readonly<Record<string, string>> };
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
}

export interface EventsApi {
  /** Calls `listener` for every event from now on; disposing ends it. */
  subscribe(listener: (event: EngineEvent) => void): Disposable;
  /** The latest events, those before a restart included, oldest first. */
  recent(): readonly EngineEvent[];
}

export interface EngineInfo {
  readonly id: string;
  readonly name: string;
  readonly root: string;
  readonly version: string;
  readonly containers: {
    readonly total: number;
    readonly running: number;
    readonly paused: number;
    readonly stopped: number;
  };
  readonly images: number;
  readonly storageDriver: string;
  readonly storageStatus: readonly (readonly [string, string])[];
  readonly runtimes: readonly { readonly name: string; readonly path: string; readonly version: string }[];
  readonly defaultRuntime: string;
  readonly monitorVersion: string;
  readonly cgroupVersion: 1 | 2;
  /** Whether containers have control groups of their own; without them there are no limits. */
  readonly cgroups: boolean;
  /** What their limits can be about. */
  readonly limits: Readonly<Record<"memory" | "swap" | "cpu" | "cpuset" | "pids", boolean>>;
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly osVersion: string;
  readonly architecture: string;
  readonly cpus: number;
  readonly memory: number;
  readonly hostname: string;
  readonly ipv4Forwarding: boolean;
  readonly securityOptions: readonly string[];
  /** Where device specifications (CDI) are looked for. */
  readonly cdiDirectories: readonly string[];
  /** Devices that can be asked for by name. */
  readonly discoveredDevices: readonly { readonly source: string; readonly id: string }[];
  readonly addressPools: readonly { readonly base: string; readonly size: number }[];
  readonly insecureRegistries: readonly string[];
  readonly mirrors: readonly string[];
  readonly warnings: readonly string[];
}

/** Something in the content store that is not as it should be. */
export interface StoreProblem {
  /** An image's name, or a digest. */
  readonly about: string;
  readonly problem: string;
  /** What was, or could be, done about it; undefined: nothing here. */
  readonly repair: string | undefined;
}

export interface StoreCheck {
  readonly blobs: number;
  readonly bytes: number;
  readonly images: number;
  /** Blobs that nothing needs. */
  readonly orphans: number;
  readonly orphanBytes: number;
  readonly problems: readonly StoreProblem[];
}

export interface SystemApi {
  info(): Promise<EngineInfo>;
  /** Reads everything in the content store; mends what can be mended where it should. */
  check(options: { readonly repair: boolean }): Promise<StoreCheck>;
  /** Unpacked layer bytes in all, each counted once. */
  layersSize(): Promise<number>;
  /** Checks credentials against a registry. */
  login(
    registry: string,
    credentials: RegistryCredentials,
  ): Promise<{ readonly status: string; readonly identityToken?: string }>;
}
