import type { IdMaps } from "@boxship/kernel";
import type { Bandwidth, PluginFacts, PortMapping } from "@boxship/network";

/** Format of the record on disk; a newer one is refused rather than misread. */
export const POD_RECORD_VERSION = 1;

/**
 * What containers of one pod share: a network namespace with its addresses, an IPC namespace with `/dev/shm`, a host name,
 * and the files of names and resolvers. No process holds it, the namespaces are kept by mounts; but one of processes, where that
 * is shared, lives only as long as its first process, see {@link holdProcesses}.
 *
 *     ready ──stop, or the machine was started anew──▶ stopped ──remove──▶ absent
 */
export interface PodRecord {
  readonly version: typeof POD_RECORD_VERSION;
  /** 64 hex digits. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly request: RunPodRequest;
  readonly state: "ready" | "stopped";
  /** Of its interface; empty in the host's network and once it has stopped. */
  readonly addresses: readonly string[];
}

export interface RunPodRequest {
  readonly hostname: string;
  /** `host`: the machine's own, without addresses of the pod's. */
  readonly network: "pod" | "host";
  readonly ipc: "pod" | "host";
  /** `pod`: its containers share one process namespace, which a process holds. @default each has its own */
  readonly pid?: "pod";
  /** The ids of a user namespace of its own, in which all its containers are. @default they are in the machine's */
  readonly users?: IdMaps;
  /** What its resolv.conf says. @default what containers get here */
  readonly dns?: {
    readonly servers: readonly string[];
    readonly search: readonly string[];
    readonly options: readonly string[];
  };
  /** `net.…` parameters. @default none */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** @default none */
  readonly ports?: readonly PortMapping[];
  /** @default no limit */
  readonly bandwidth?: Bandwidth;
  /** What CNI plugins are told, where they make the network of pods. @default nothing */
  readonly plugins?: Omit<PluginFacts, "ports">;
  /** Bytes of `/dev/shm`. @default 64 MiB */
  readonly sharedMemory?: number;
  /** The control group that its containers are below; removed with the pod when it is the instance's. @default none */
  readonly cgroupParent?: string;
  /** What the door that made it keeps with it; nobody else reads it. */
  readonly door: string;
}
