import { type Clock, errorMessage, goDuration, sleep } from "@boxship/base";
import type { HealthView } from "../engine-api.ts";
import type { HealthConfig } from "./config.ts";

const DEFAULTS = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5_000, retries: 3 };
const KEPT_RESULTS = 5;
const KEPT_OUTPUT = 4096;

/** Result of one probe. */
export interface ProbeResult {
  readonly exitCode: number;
  readonly output: string;
}

export interface HealthMonitorOptions {
  readonly config: HealthConfig;
  readonly clock: Clock;
  /** Runs the test in the container; must stop it when the signal aborts. */
  readonly probe: (signal: AbortSignal) => Promise<ProbeResult>;
  readonly onStatus: (status: HealthView["status"]) => void;
}

/** Whether a health configuration asks for probes at all. */
export function hasHealthTest(config: HealthConfig | undefined): config is HealthConfig {
  return config?.test !== undefined && config.test.length > 0 && config.test[0] !== "NONE";
}

/**
 * Probes one running container by Docker's rules: `starting` until the first success or until `retries` failures in a
 * row outside the start period; a failure inside the start period does not count unless a probe has succeeded.
 */
export class HealthMonitor implements Disposable {
  readonly #options: HealthMonitorOptions;
  readonly #stop = new AbortController();
  readonly #startedAt: number;
  #view: HealthView = { status: "starting", failingStreak: 0, log: [] };

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    void this.#loop();
  }

  get view(): HealthView {
    return this.#view;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #loop(): Promise<void> {
    const { clock } = this.#options;
    const signal = this.#stop.signal;
    try {
      for (;;) {
        await sleep(clock, this.#interval(), signal);
        const start = clock.now();
        const result = await this.#probeOnce();
        if (signal.aborted) return;
        this.#record(start, result);
      }
    } catch (error) {
      // Disposal is the only way out of sleep(); probes turn their failures into results.
      if (!signal.aborted) throw error;
    }
  }

  get #inStartPeriod(): boolean {
    const period = this.#options.config.startPeriodMs ?? DEFAULTS.startPeriodMs;
    return this.#view.status === "starting" && this.#options.clock.now() - this.#startedAt < period;
  }

  #interval(): number {
    const { config } = this.#options;
    const interval = config.intervalMs || DEFAULTS.intervalMs;
    return this.#inStartPeriod ? config.startIntervalMs || Math.min(DEFAULTS.startIntervalMs, interval) : interval;
  }

  async #probeOnce(): Promise<ProbeResult> {
    const { config, clock, probe } = this.#options;
    const timeoutMs = config.timeoutMs || DEFAULTS.timeoutMs;
    const limit = new AbortController();
    using _timer = clock.setTimeout(timeoutMs, () => limit.abort());
    const signal = AbortSignal.any([limit.signal, this.#stop.signal]);
    try {
      const result = await probe(signal);
      if (!limit.signal.aborted) return result;
    } catch (error) {
      if (!limit.signal.aborted) return { exitCode: -1, output: errorMessage(error) };
    }
    return { exitCode: -1, output: `Health check exceeded timeout (${goDuration(timeoutMs * 1e6)})` };
  }

  #record(start: number, result: ProbeResult): void {
    const { config, clock, onStatus } = this.#options;
    const ok = result.exitCode === 0;
    const forgiven = !ok && this.#inStartPeriod;
    const failingStreak = ok ? 0 : this.#view.failingStreak + (forgiven ? 0 : 1);
    const retries = config.retries || DEFAULTS.retries;
    const before = this.#view.status;
    const status = ok ? "healthy" : failingStreak >= retries ? "unhealthy" : before;
    const entry = { start, end: clock.now(), exitCode: result.exitCode, output: result.output.slice(0, KEPT_OUTPUT) };
    this.#view = { status, failingStreak, log: [...this.#view.log, entry].slice(-KEPT_RESULTS) };
    if (status !== before) onStatus(status);
  }
}
