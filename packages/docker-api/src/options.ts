import type { Clock, Logger } from "@boxship/base";
import type { EngineApi } from "@boxship/engine";
import type { BuildDoor } from "./build-door.ts";

/** What the program says of itself in `/version` and in the `Server` header. */
export interface ApiServerInfo {
  /** @default "dev" */
  readonly version?: string;
  /** @default "" */
  readonly gitCommit?: string;
  /** RFC 3339. @default "" */
  readonly buildTime?: string;
}

/** Which daemon a client speaks to; `GET /boxship/ping` tells it. */
export interface InstanceInfo {
  readonly name: string;
  readonly root: string;
  readonly runDir: string;
  readonly pid: number;
}

export interface DockerApiOptions {
  readonly engine: EngineApi;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly info?: ApiServerInfo;
  readonly instance?: InstanceInfo;
  /** Absent: building is refused. */
  readonly build?: BuildDoor;
  /**
   * Begins an orderly end of the daemon and returns; containers run on, unless `reset` says that the instance goes with
   * all that it has. Absent: `POST /boxship/shutdown` is refused.
   */
  readonly shutdown?: (options: { readonly reset: boolean }) => void;
}
