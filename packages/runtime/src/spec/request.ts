import type { SeccompProfile } from "../seccomp/profile.ts";
import type { OciDeviceRule, OciIdMapping, OciMount, OciRlimit } from "./oci.ts";

/**
 * What a container is, in neutral terms; {@link buildSpec} turns it into an OCI `config.json` with Docker's defaults.
 * Names and numbers are already resolved: ids are numbers, paths absolute, sizes bytes.
 */
export interface SpecRequest {
  /** The command; `args[0]` is looked up in the container's `PATH`. At least one. */
  readonly args: readonly string[];
  /** `NAME=value`; nothing is added. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids?: readonly number[] };
  readonly hostname?: string;
  readonly domainname?: string;
  /** @default false */
  readonly terminal?: boolean;
  /** First size of the terminal in characters. */
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly rootfs: string;
  /** @default false */
  readonly readonlyRootfs?: boolean;
  /** Added to the default mounts; one on a default's destination replaces it. */
  readonly mounts?: readonly OciMount[];
  readonly devices?: readonly DeviceRequest[];
  /** Names with or without `CAP_`, any case; `ALL` is every capability of this host. */
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  /** @default false */
  readonly privileged?: boolean;
  /** @default false */
  readonly noNewPrivileges?: boolean;
  /** A profile as {@link parseSeccompProfile} reads it. @default "default", and "unconfined" when privileged */
  readonly seccomp?: "default" | "unconfined" | SeccompProfile;
  /** A loaded AppArmor profile's name. `unconfined` is always accepted; others need AppArmor on the host. */
  readonly apparmor?: string;
  readonly selinux?: { readonly processLabel?: string; readonly mountLabel?: string };
  /** @default Docker's, none when privileged */
  readonly maskedPaths?: readonly string[];
  /** @default Docker's, none when privileged */
  readonly readonlyPaths?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
  /** `type` with or without `RLIMIT_`, any case. -1 is unlimited. */
  readonly rlimits?: readonly OciRlimit[];
  readonly namespaces?: NamespaceRequest;
  readonly resources?: ResourceRequest;
  /** -1000 … 1000. @default 0 */
  readonly oomScoreAdj?: number;
  /** `none`: no /dev/shm; a path is bound there. @default "private", a tmpfs of `shmSize` */
  readonly shm?: "private" | "none" | "host" | { readonly path: string };
  /** Bytes. @default 64 MiB */
  readonly shmSize?: number;
  /** Run an init (catatonit, tini or dumb-init, whichever the host has as a static binary) as process 1. @default false */
  readonly init?: boolean;
  /** As OCI's: absolute, below the cgroup parent. */
  readonly cgroupsPath: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly umask?: number;
}

/** `host` shares the host's, a path joins an existing one. */
export type NamespaceChoice = "private" | "host" | NamespacePath;

export interface NamespacePath {
  readonly path: string;
  /** It was made for this container alone, so that the container's kernel parameters belong in it. @default false */
  readonly owned?: boolean;
}

export interface NamespaceRequest {
  /** @default "private", a namespace with nothing but a loopback device that is down */
  readonly network?: NamespaceChoice;
  /** @default "private" */
  readonly ipc?: NamespaceChoice;
  /** @default "private" */
  readonly pid?: NamespaceChoice;
  /** @default "private" */
  readonly uts?: NamespaceChoice;
  /** @default "private" on cgroup v2, "host" otherwise, as Docker */
  readonly cgroup?: NamespaceChoice;
  /** A user namespace with these mappings. @default the host's */
  readonly user?: {
    readonly uids: readonly OciIdMapping[];
    readonly gids: readonly OciIdMapping[];
    /** One that exists, with exactly these. @default a new one */
    readonly path?: string;
    /** The network namespace that is joined belongs to it. @default false */
    readonly ownsNetwork?: boolean;
  };
}

export interface DeviceRequest {
  /** A device node on the host, or a directory whose nodes are all taken. */
  readonly hostPath: string;
  /** @default hostPath */
  readonly containerPath?: string;
  /** Some of `rwm`. @default "rwm" */
  readonly permissions?: string;
}

export interface BlockDeviceRate {
  /** A block device on the host. */
  readonly path: string;
  readonly rate: number;
}

export interface ResourceRequest {
  /** Bytes. */
  readonly memory?: number;
  /** Memory and swap together, in bytes; -1 is unlimited swap. @default twice `memory`, as Docker */
  readonly memorySwap?: number;
  readonly memoryReservation?: number;
  /** 0 … 100 */
  readonly memorySwappiness?: number;
  /** @default false */
  readonly oomKillDisable?: boolean;
  /** Billionths of a CPU; excludes `cpuQuota` and `cpuPeriod`. */
  readonly nanoCpus?: number;
  readonly cpuShares?: number;
  /** Microseconds. */
  readonly cpuQuota?: number;
  /** Microseconds. */
  readonly cpuPeriod?: number;
  readonly cpuRealtimePeriod?: number;
  readonly cpuRealtimeRuntime?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** 0 and -1 are unlimited. */
  readonly pids?: number;
  /** 10 … 1000 */
  readonly blkioWeight?: number;
  readonly blkioWeightDevices?: readonly { readonly path: string; readonly weight: number }[];
  readonly blkioReadBps?: readonly BlockDeviceRate[];
  readonly blkioWriteBps?: readonly BlockDeviceRate[];
  readonly blkioReadIops?: readonly BlockDeviceRate[];
  readonly blkioWriteIops?: readonly BlockDeviceRate[];
  readonly hugepages?: readonly { readonly pageSize: string; readonly limit: number }[];
  /** Rules of the device cgroup in its own words, e.g. `c 10:200 rwm`. */
  readonly deviceCgroupRules?: readonly string[];
  /** Used as they are, before Docker's forms. */
  readonly deviceRules?: readonly OciDeviceRule[];
}

/** What {@link buildSpec} gives back. */
export interface BuiltSpec<Spec> {
  readonly spec: Spec;
  /** What had to be adapted to this host, as sentences for the user. */
  readonly warnings: readonly string[];
}
