import type { Timer } from "@boxship/base";
import type { HealthView } from "../engine-api.ts";
import type { HealthMonitor } from "./health-monitor.ts";
import type { PendingAttach } from "./pending-attach.ts";

/** What the daemon knows of a container beyond its record; gone with the daemon, rebuilt by the next one. */
export interface LiveContainer {
  /** Clients that attached before the start; they get the streams before the process runs. */
  readonly pendingAttaches: Set<PendingAttach>;
  readonly execIds: Set<string>;
  health?: HealthMonitor;
  /** What the probes of the last run found; shown until the next start. */
  lastHealth?: HealthView;
  /** Gives up a start that is under way. */
  starting?: AbortController;
  /** Users who restart it: it is ended to be started again, `--rm` or not. */
  restartsAsked: number;
  /** A restart that is due. */
  restart?: { readonly timer: Timer };
  /** The delay before the last restart, for the next one's. */
  restartDelayMs?: number;
  /** Something of the last run could not be taken away: it has to go before the next one. */
  remains?: boolean;
  /** Releases the log rotation of the running process. */
  logRotation?: AsyncDisposable;
}

export function newLiveContainer(): LiveContainer {
  return { pendingAttaches: new Set(), execIds: new Set(), restartsAsked: 0 };
}
