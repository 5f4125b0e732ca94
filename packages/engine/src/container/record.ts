import type { ContainerConfig, EndpointRequest, HostConfig, MountSpec } from "./config.ts";
import type { ContainerState } from "./state.ts";

/** Format of the record on disk; a newer one is refused rather than misread. */
export const RECORD_VERSION = 1;

/** A mount as it was resolved when the container was created; what `inspect` shows as `Mounts`. */
export interface MountPoint {
  readonly type: "bind" | "volume" | "tmpfs" | "image";
  /** Volume name; empty for others. */
  readonly name?: string;
  /** Path on the host. */
  readonly source: string;
  readonly destination: string;
  readonly driver?: string;
  /** The options as typed (`z`, `ro`, …). */
  readonly mode: string;
  readonly readWrite: boolean;
  readonly propagation: string;
  /** Volume: fill an empty one with what the image has there. */
  readonly copyUp?: boolean;
  /** Volume: made for this container, and removed with it by `rm -v` and `--rm`. */
  readonly anonymous?: boolean;
  /** Directory inside the volume or image. */
  readonly subpath?: string;
  /** tmpfs options, as for `mount -o`. */
  readonly options?: readonly string[];
  readonly nonRecursive?: boolean;
  /** Read-only bind: what is mounted below the source stays as it is. Otherwise all of it is read-only (Linux 5.12). */
  readonly readOnlyNonRecursive?: boolean;
  /** Read-only bind: an error where the kernel cannot make all of it read-only. */
  readonly readOnlyForceRecursive?: boolean;
  /** Bind: a missing source becomes a directory (`-v`), instead of an error (`--mount`). */
  readonly createSource?: boolean;
  /** Bind: its owners on the disk are ids of the user namespace of the container's pod, if that has one. */
  readonly idMapped?: boolean;
  /** Where it came from, for `--volumes-from`. */
  readonly spec: "bind" | "mount" | "tmpfs" | "volumes-from" | "image";
}

/** What one network gave the container; what `inspect` shows under `NetworkSettings.Networks`. */
export interface EndpointState {
  readonly networkName: string;
  readonly networkId: string;
  readonly request: EndpointRequest;
  /** Present while the container runs. */
  readonly active?: {
    readonly endpointId: string;
    readonly interfaceName: string;
    readonly macAddress: string;
    readonly ipv4?: { readonly address: string; readonly prefixLength: number; readonly gateway?: string };
    readonly ipv6?: { readonly address: string; readonly prefixLength: number; readonly gateway?: string };
    readonly dnsNames: readonly string[];
  };
}

/** One published port of a running container. */
export interface PublishedPort {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly containerPort: number;
  readonly hostIp: string;
  readonly hostPort: number;
}

/** A container, durable: everything that a new daemon must know. Immutable; a change is a new record. */
export interface ContainerRecord {
  readonly version: typeof RECORD_VERSION;
  /** 64 hex digits. */
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** Config digest of the image, or "" when made from nothing. */
  readonly imageId: string;
  /** Chain id of the image's top layer; absent for an image without layers. */
  readonly chainId?: string;
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
  /** As asked. */
  readonly config: ContainerConfig;
  /** {@link config} completed from the image. */
  readonly effective: EffectiveConfig;
  readonly hostConfig: HostConfig;
  readonly mounts: readonly MountPoint[];
  readonly endpoints: readonly EndpointState[];
  readonly ports: readonly PublishedPort[];
  readonly state: ContainerState;
  /** Who its first process was at its last start, as ids of the container; absent before that. */
  readonly user?: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  readonly restartCount: number;
  /** A mount at this place is being added or taken away while the container runs: see `container-mounts.ts`. */
  readonly unsettledMount?: {
    readonly destination: string;
    /** One that is being taken away: what there was with it. */
    readonly before?: MountSet;
  };
  /** A change of its mounts for which it gets a new process: see `container-recreate.ts`. */
  readonly edit?: ContainerEdit;
  /** While it is being removed: its anonymous volumes go too. */
  readonly removeVolumes?: boolean;
  /** The user stopped it: `unless-stopped` and `always` stay away until it is started again. */
  readonly stoppedByUser: boolean;
}

/** What is mounted in a container, as it was resolved and as it was asked for. */
export interface MountSet {
  readonly mounts: readonly MountPoint[];
  readonly hostConfig: {
    readonly binds?: readonly string[];
    readonly mounts?: readonly MountSpec[];
    readonly tmpfs?: Readonly<Record<string, string>>;
  };
}

/** A change of mounts that is under way. */
export interface ContainerEdit {
  /** `stopping`: the process still has the old ones, and `set` is the new; `starting`: the other way round. */
  readonly phase: "stopping" | "starting";
  readonly set: MountSet;
}

/** {@link ContainerConfig} after the image's defaults; every field decided. */
export interface EffectiveConfig extends ContainerConfig {
  readonly hostname: string;
  readonly domainname: string;
  readonly user: string;
  readonly env: readonly string[];
  readonly cmd: readonly string[];
  readonly entrypoint: readonly string[];
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
}
