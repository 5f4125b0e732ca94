import type { Clock, Logger } from "@boxship/base";
import type { IdMaps } from "@boxship/kernel";
import type { OutsidePorts } from "@boxship/network";
import type { StorageDriver } from "@boxship/storage";

export interface EngineOptions {
  /** Durable state. */
  readonly root: string;
  /** Run-time state; may vanish with a reboot. */
  readonly runDir: string;
  /** Instance name: prefix of bridges, nftables tables and cgroups. */
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** @default the fastest that works */
  readonly defaultRuntime?: string;
  /** Further OCI runtimes, name to path. */
  readonly runtimes?: Readonly<Record<string, string>>;
  /** By registry host. */
  readonly registries?: Readonly<
    Record<
      string,
      {
        readonly mirrors?: readonly string[];
        readonly insecure?: boolean;
        readonly blocked?: boolean;
        /** PEM certificates that are trusted besides the machine's. */
        readonly ca?: string;
      }
    >
  >;
  /**
   * File that says which images may be pulled, in the format of containers-policy.json(5).
   * @default the first of ~/.config/containers/policy.json and /etc/containers/policy.json; without one, all may
   */
  readonly policy?: string;
  /** For an engine in a network namespace of its own: who publishes ports where clients are. */
  readonly outsidePorts?: OutsidePorts;
  /** The resolver configuration that containers get theirs from. @default "/etc/resolv.conf" */
  readonly resolvConf?: string;
  /**
   * The process may neither mount nor make namespaces, as root in an ordinary container: file systems are copies, and there
   * are no containers and no networks, but images can be built, pulled and pushed.
   *
   * `namespaces`: whether commands of builds have user namespaces. @default it is tried
   */
  readonly confined?: { readonly namespaces?: boolean };
  readonly addressPools?: readonly { readonly base: string; readonly size: number }[];
  /** Where networks with the driver `cni` have their configurations and plugins. @default the places that are usual */
  readonly cni?: { readonly configurations?: string; readonly plugins?: readonly string[] };
  /** What mounts the file systems of containers. @default overlay2 */
  readonly storageDriver?: StorageDriver;
  /** The ids of the user namespace that containers are in. @default they are in the machine's */
  readonly remap?: IdMaps;
  /** Where device specifications (CDI) are. @default "/etc/cdi" and "/var/run/cdi" */
  readonly cdiDirectories?: readonly string[];
  /** Defaults of container logs. @default 20 MB, 5 files, the host's journal */
  readonly log?: { readonly maxSize?: string; readonly maxFile?: number; readonly journalSocket?: string };
}
