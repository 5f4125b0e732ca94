import { asBoxshipError, type Clock, type Logger, sleep } from "@boxship/base";
import type { Pod } from "../types.ts";
import { Logind, type LogindOptions } from "./logind.ts";
import { groupPods, type ShutdownPeriod, wholePeriod } from "./shutdown-periods.ts";
import type { ShutdownRecord } from "./shutdown-record.ts";

export interface NodeShutdownOptions {
  /** By rising priority; at least one. */
  readonly periods: readonly ShutdownPeriod[];
  readonly logind: Omit<LogindOptions, "prepare" | "clock">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** When pods begin to be ended, and when that is over. */
  readonly record: Pick<ShutdownRecord, "began" | "ended">;
  /** Pods of the node that have not ended. */
  readonly pods: () => Iterable<Pod>;
  /** Ends a pod for good within so many seconds. Resolves when it has ended and the API knows. */
  readonly terminate: (pod: Pod, message: string, seconds: number) => Promise<void>;
  /** The machine goes down, or does not after all. Never rejects; resolves when that is told. */
  readonly changed: (isGoing: boolean) => Promise<void>;
}

/** As upstream's; logind is asked again so often. */
const AGAIN_MS = 1000;

export const SHUTDOWN_MESSAGE = "Pod was terminated in response to imminent node shutdown.";
export const NODE_SHUTTING_DOWN = "node is shutting down";
export const SHUTDOWN_REJECTION = {
  reason: "NodeShutdown",
  message: "Pod was rejected as the node is shutting down.",
} as const;

/**
 * Delays shutdowns of the machine until its pods have ended, those of least priority first, each group within its own time.
 *
 *     watching ──PrepareForShutdown(true)──▶ going ──all have ended, or time is up──▶ let go
 *         ◀──────────────PrepareForShutdown(false)────────────────────────────────────┘
 */
export class NodeShutdown {
  readonly #options: NodeShutdownOptions;
  #isGoing = false;
  /** What logind was last heard to lack. */
  #told: string | undefined;

  constructor(options: NodeShutdownOptions) {
    this.#options = options;
  }

  /** The machine is about to go down: no pod is begun any more. */
  get isGoing(): boolean {
    return this.#isGoing;
  }

  /** Listens to logind for as long as there is one, and again when it is back. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#listen(signal);
      } catch (error) {
        const { message, remedy } = asBoxshipError(error);
        // Once, and not every second.
        if (!signal.aborted && message !== this.#told) {
          logger.warn("pods will end with the machine: its shutdown cannot be delayed by systemd-logind", {
            error: message,
            ...(remedy === undefined ? {} : { remedy }),
          });
        }
        this.#told = message;
      }
      await sleep(clock, AGAIN_MS, signal).catch(() => {});
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { clock, logger, periods, logind: where } = this.#options;
    const heard: boolean[] = [];
    let wake = Promise.withResolvers<void>();
    let cancelled = Promise.withResolvers<void>();
    const prepare = (isGoing: boolean): void => {
      heard.push(isGoing);
      wake.resolve();
      if (!isGoing) cancelled.resolve();
    };
    using logind = await Logind.open({ ...where, clock, prepare });
    await logind.allowDelay(wholePeriod(periods));
    await logind.delay();
    // It gives no locks while the machine goes down.
    await this.#change(false);
    logger.info("shutdowns of the machine wait for its pods", { seconds: wholePeriod(periods) });
    this.#told = undefined;
    const ended = Promise.withResolvers<void>();
    const end = (): void => ended.resolve();
    signal.addEventListener("abort", end, { once: true });
    using _listener = { [Symbol.dispose]: () => signal.removeEventListener("abort", end) };
    const state = { isOver: signal.aborted };
    const over = Promise.race([logind.over, ended.promise]).then(() => void (state.isOver = true));
    while (!state.isOver) {
      await Promise.race([wake.promise, over]);
      wake = Promise.withResolvers();
      for (let next = heard.shift(); next !== undefined; next = heard.shift()) {
        if (!next) {
          await this.#change(false);
          await logind.delay();
        } else if (!heard.includes(false)) {
          cancelled = Promise.withResolvers();
          await this.#goDown(logind, Promise.race([over, cancelled.promise]));
        }
      }
    }
  }

  async #goDown(logind: Logind, cut: Promise<void>): Promise<void> {
    // Pods do not wait for the API to know.
    void this.#change(true);
    const { record, logger } = this.#options;
    await record.began();
    const stopping = new AbortController();
    await Promise.race([this.#endPods(stopping.signal), cut]);
    stopping.abort();
    await record.ended();
    logind.release();
    logger.info("the machine may go down: its pods have ended, or have had their time");
  }

  /** @param signal no further group is begun with */
  async #endPods(signal: AbortSignal): Promise<void> {
    const { periods, pods, terminate, clock, logger } = this.#options;
    for (const group of groupPods(periods, pods())) {
      if (signal.aborted) return;
      const { seconds } = group;
      const all = group.pods.map(async (pod) => {
        const own = pod.spec.terminationGracePeriodSeconds ?? seconds;
        await terminate(pod, SHUTDOWN_MESSAGE, Math.min(own, seconds));
      });
      const waiting = new AbortController();
      const late = sleep(clock, seconds * 1000, waiting.signal).then(
        () =>
          logger.warn("pods have not ended within their part of the shutdown", { seconds, pods: group.pods.length }),
        () => {},
      );
      await Promise.race([Promise.allSettled(all), late]);
      waiting.abort();
    }
  }

  async #change(isGoing: boolean): Promise<void> {
    if (this.#isGoing === isGoing) return;
    this.#isGoing = isGoing;
    await this.#options.changed(isGoing);
  }
}
