import type { KubeObject } from "@boxship/api";
import type { Clock, Logger } from "@boxship/base";
import type { ApiClient, EventRecorder } from "@boxship/client";
import type { Cri } from "@boxship/cri";
import type { ReferencedObjects } from "../environment/referenced-objects.ts";
import type { PullImages } from "../images/pull-images.ts";
import type { PodSettings } from "../pods/pod-config.ts";
import type { UserRanges } from "../pods/user-ranges.ts";
import type { Pod } from "../types.ts";
import type { TokenSource } from "../volumes/projections.ts";
import type { Volumes } from "../volumes/volumes.ts";

/** What the agent works with, for all of its pods. */
export interface NodeContext {
  readonly client: ApiClient;
  readonly cri: Cri;
  /** What the engine is called, e.g. `containerd`. */
  readonly engine: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: Pick<EventRecorder, "record">;
  readonly settings: PodSettings;
  readonly volumes: Volumes;
  readonly users: UserRanges;
  readonly objects: ReferencedObjects;
  readonly images: PullImages;
  readonly token: TokenSource;
  readonly services: () => Iterable<KubeObject>;
  /** Those of this node that have not ended. */
  readonly pods: () => Iterable<Pod>;
  /** As it is now. */
  readonly hostIP: string;
  /** One of each family that pods have; the first is `hostIP`. */
  readonly hostIPs: readonly string[];
  readonly allocatable: Readonly<Record<string, string>>;
  /** Bytes. */
  readonly nodeMemory: number;
}

export const PODS = { group: "", version: "v1", resource: "pods" } as const;
