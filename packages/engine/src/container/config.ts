import type { ImageGroups } from "@boxship/runtime";

/**
 * What a user asks of a container: the vocabulary of the Docker Engine API (1.51), as immutable values with lower-case
 * field names. `docker-api` and `cri` translate their wire formats into it; the engine stores it as it was asked and
 * derives the rest at every start.
 *
 * Durations are milliseconds, sizes bytes, unless a field says otherwise. An absent field means "the default"; an empty
 * list or map means the same as an absent one.
 */

/** The image-like half: what runs. Fields that are absent come from the image. */
export interface ContainerConfig {
  /** The image as the user wrote it; the record keeps what it resolved to. */
  readonly image: string;
  readonly hostname?: string;
  readonly domainname?: string;
  /** `user[:group]`, names or numbers. */
  readonly user?: string;
  /** `KEY=value`; a bare `KEY` removes the image's. */
  readonly env?: readonly string[];
  readonly cmd?: readonly string[];
  /** An empty list clears the image's entrypoint (the command line's `--entrypoint ""`). */
  readonly entrypoint?: readonly string[];
  readonly workingDir?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly tty?: boolean;
  readonly openStdin?: boolean;
  /** Close stdin for good when the first attached client ends its own. */
  readonly stdinOnce?: boolean;
  readonly attachStdin?: boolean;
  readonly attachStdout?: boolean;
  readonly attachStderr?: boolean;
  /** `80/tcp`, … */
  readonly exposedPorts?: readonly string[];
  /** Container paths that get an anonymous volume. */
  readonly volumes?: readonly string[];
  /** Name or number. @default the image's, else SIGTERM */
  readonly stopSignal?: string;
  /** Seconds between the stop signal and SIGKILL; -1 waits for ever. @default 10 */
  readonly stopTimeout?: number;
  readonly healthcheck?: HealthConfig;
  readonly shell?: readonly string[];
  readonly onBuild?: readonly string[];
  readonly networkDisabled?: boolean;
  readonly macAddress?: string;
  /** What the door that made it keeps with it; nobody else reads it. */
  readonly door?: string;
}

export interface HealthConfig {
  /** `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`; empty inherits the image's. */
  readonly test?: readonly string[];
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
  readonly retries?: number;
  readonly startPeriodMs?: number;
  readonly startIntervalMs?: number;
}

export type RestartPolicyName = "no" | "always" | "unless-stopped" | "on-failure";

export interface RestartPolicy {
  readonly name: RestartPolicyName;
  /** Only with `on-failure`; 0 means no limit. */
  readonly maximumRetryCount: number;
}

export interface PortBinding {
  readonly hostIp?: string;
  /** A port, a range `8000-8010`, or empty for one that the engine picks. */
  readonly hostPort?: string;
}

export type MountType = "bind" | "volume" | "tmpfs" | "image" | "npipe" | "cluster";

/** One `--mount`. */
export interface MountSpec {
  readonly type: MountType;
  readonly target: string;
  readonly source?: string;
  readonly readOnly?: boolean;
  readonly consistency?: string;
  readonly bindOptions?: {
    readonly propagation?: string;
    readonly nonRecursive?: boolean;
    readonly createMountpoint?: boolean;
    readonly readOnlyNonRecursive?: boolean;
    readonly readOnlyForceRecursive?: boolean;
    /** Its owners on the disk are ids of the user namespace of the container's pod, if that has one. */
    readonly idMapped?: boolean;
  };
  readonly volumeOptions?: {
    readonly noCopy?: boolean;
    readonly labels?: Readonly<Record<string, string>>;
    readonly driver?: string;
    readonly driverOptions?: Readonly<Record<string, string>>;
    readonly subpath?: string;
  };
  readonly imageOptions?: { readonly subpath?: string };
  readonly tmpfsOptions?: {
    readonly sizeBytes?: number;
    readonly mode?: number;
    readonly options?: readonly (readonly string[])[];
  };
}

export interface DeviceMapping {
  readonly pathOnHost: string;
  readonly pathInContainer: string;
  /** Any of `rwm`. */
  readonly cgroupPermissions: string;
}

/** Devices by what they can do (`--gpus`), or by qualified names (driver `cdi`). */
export interface DeviceRequest {
  readonly driver?: string;
  /** -1 is all. */
  readonly count?: number;
  readonly deviceIds?: readonly string[];
  /** Alternatives; all names of one are needed. */
  readonly capabilities?: readonly (readonly string[])[];
  readonly options?: Readonly<Record<string, string>>;
}

export interface ThrottleDevice {
  readonly path: string;
  readonly rate: number;
}

export interface Ulimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** Limits that can also change while the container runs. */
export interface Resources {
  readonly cpuShares?: number;
  readonly nanoCpus?: number;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpuRealtimePeriod?: number;
  readonly cpuRealtimeRuntime?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly memory?: number;
  readonly memoryReservation?: number;
  /** Memory plus swap; -1 is unlimited swap. */
  readonly memorySwap?: number;
  readonly memorySwappiness?: number;
  readonly oomKillDisable?: boolean;
  readonly pidsLimit?: number;
  readonly blkioWeight?: number;
  readonly blkioWeightDevice?: readonly { readonly path: string; readonly weight: number }[];
  readonly blkioDeviceReadBps?: readonly ThrottleDevice[];
  readonly blkioDeviceWriteBps?: readonly ThrottleDevice[];
  readonly blkioDeviceReadIops?: readonly ThrottleDevice[];
  readonly blkioDeviceWriteIops?: readonly ThrottleDevice[];
}

/** The host half: where and with which rights it runs. */
export interface HostConfig {
  readonly resources?: Resources;
  readonly cgroupParent?: string;
  /** Id of the pod whose network, IPC namespace and files it has; {@link networkMode} and {@link ipcMode} are not read then. */
  readonly pod?: string;
  /** Where its log is written; whoever names it rotates it. @default with the container, rotated by {@link logConfig} */
  readonly logPath?: string;
  readonly devices?: readonly DeviceMapping[];
  readonly deviceCgroupRules?: readonly string[];
  readonly deviceRequests?: readonly DeviceRequest[];
  readonly ulimits?: readonly Ulimit[];
  readonly init?: boolean;
  /** `source:target[:options]`. */
  readonly binds?: readonly string[];
  readonly mounts?: readonly MountSpec[];
  /** Path to mount options, e.g. `{ "/run": "size=64m" }`. */
  readonly tmpfs?: Readonly<Record<string, string>>;
  readonly volumesFrom?: readonly string[];
  readonly volumeDriver?: string;
  readonly containerIdFile?: string;
  readonly logConfig?: { readonly type: string; readonly config: Readonly<Record<string, string>> };
  /** `default`, `bridge`, `host`, `none`, `container:<id>` or a network's name. */
  readonly networkMode?: string;
  /** `80/tcp` to where it is published. */
  readonly portBindings?: Readonly<Record<string, readonly PortBinding[]>>;
  readonly publishAllPorts?: boolean;
  readonly restartPolicy?: RestartPolicy;
  readonly autoRemove?: boolean;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly cgroupnsMode?: "private" | "host";
  readonly dns?: readonly string[];
  readonly dnsOptions?: readonly string[];
  readonly dnsSearch?: readonly string[];
  /** `name:address`; the address may be `host-gateway`. */
  readonly extraHosts?: readonly string[];
  readonly groupAdd?: readonly string[];
  /** Whether the groups that the image puts its users into are theirs. @default where no group is named */
  readonly imageGroups?: ImageGroups;
  /** `none`, `private`, `shareable`, `container:<id>`, `host`. */
  readonly ipcMode?: string;
  readonly pidMode?: string;
  readonly utsMode?: string;
  readonly usernsMode?: string;
  readonly links?: readonly string[];
  readonly oomScoreAdj?: number;
  readonly privileged?: boolean;
  readonly readonlyRootfs?: boolean;
  readonly securityOpt?: readonly string[];
  readonly storageOpt?: Readonly<Record<string, string>>;
  readonly shmSize?: number;
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly runtime?: string;
  /** Absent means Docker's list; an empty list masks nothing. */
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  /** Rows, columns of the first terminal. */
  readonly consoleSize?: readonly [height: number, width: number];
}

/** How a container wants to join one network. */
export interface EndpointRequest {
  readonly aliases?: readonly string[];
  readonly links?: readonly string[];
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  readonly linkLocalIps?: readonly string[];
  readonly macAddress?: string;
  readonly driverOptions?: Readonly<Record<string, string>>;
  readonly gatewayPriority?: number;
}

export interface CreateContainerRequest {
  /** Without the leading slash. Absent: one is made up. */
  readonly name?: string;
  /** `os/arch[/variant]`; must be among the image's. */
  readonly platform?: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** By network name or id. */
  readonly endpoints?: Readonly<Record<string, EndpointRequest>>;
}
