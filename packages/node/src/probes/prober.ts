import type { Clock, Timer } from "@boxship/base";
import type { Cri } from "@boxship/cri";
import type { ContainerSpec, ProbeSpec } from "../types.ts";
import { runHandler } from "./probe-run.ts";

type Kind = "liveness" | "readiness" | "startup";

export interface ProberOptions {
  readonly cri: Pick<Cri, "execSync">;
  readonly clock: Clock;
  readonly containerId: string;
  readonly container: ContainerSpec;
  /** As it is now: that of a pod on the host's network is the host's. */
  readonly podIP: () => string;
  /** When the container was started, milliseconds since the epoch. */
  readonly startedAt: number;
  /** What was told of it before this process began to probe it: that holds until probes say otherwise. @default it is new */
  readonly known?: { readonly started: boolean; readonly ready: boolean };
  /** Something that {@link ContainerProbes} says is another now. */
  readonly changed: () => void;
  /** @param errored it could not be tried, and counts neither way */
  readonly failed: (kind: Kind, output: string, errored: boolean) => void;
}

interface Watch {
  readonly kind: Kind;
  readonly spec: ProbeSpec;
  /** Results of the same kind in a row. */
  run: number;
  last: boolean | undefined;
}

/**
 * The probes of one running container. Until the startup probe has succeeded the others wait; a container without
 * a readiness probe is ready as soon as it has started.
 */
export class ContainerProbes implements Disposable {
  readonly #options: ProberOptions;
  readonly #timers = new Set<Timer>();
  #started: boolean;
  #ready: boolean;
  #unhealthy: { readonly kind: Kind; readonly spec: ProbeSpec } | undefined;
  #ended = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    const { startupProbe, readinessProbe } = options.container;
    const { started = false, ready = false } = options.known ?? {};
    this.#started = startupProbe === undefined || started;
    this.#ready = readinessProbe === undefined || ready;
    if (startupProbe === undefined || started) this.#beginOthers();
    else this.#begin("startup", startupProbe);
  }

  get started(): boolean {
    return this.#started;
  }

  get ready(): boolean {
    return this.#started && this.#ready;
  }

  /** The probe for whose sake the container is to be ended. */
  get unhealthy(): { readonly kind: Kind; readonly spec: ProbeSpec } | undefined {
    return this.#unhealthy;
  }

  #beginOthers(): void {
    const { livenessProbe, readinessProbe } = this.#options.container;
    if (livenessProbe !== undefined) this.#begin("liveness", livenessProbe);
    if (readinessProbe !== undefined) this.#begin("readiness", readinessProbe);
  }

  #begin(kind: Kind, spec: ProbeSpec): void {
    const { clock, startedAt } = this.#options;
    const delay = (spec.initialDelaySeconds ?? 0) * 1000;
    // Not longer than that, though the clock may have been set back since the container was started.
    const left = Math.min(delay, startedAt + delay - clock.now());
    this.#after(Math.max(0, left), { kind, spec, run: 0, last: undefined });
  }

  #after(ms: number, watch: Watch): void {
    const timer = this.#options.clock.setTimeout(ms, () => {
      this.#timers.delete(timer);
      void this.#probe(watch);
    });
    this.#timers.add(timer);
  }

  async #probe(watch: Watch): Promise<void> {
    const { spec, kind } = watch;
    const { failed } = this.#options;
    const target = { ...this.#options, podIP: this.#options.podIP(), timeoutSeconds: spec.timeoutSeconds ?? 1 };
    const { success, output, errored = false } = await runHandler(spec, target);
    if (this.#ended) return;
    if (!success) failed(kind, output, errored);
    // What could not be asked has neither succeeded nor failed.
    if (errored) return this.#after((spec.periodSeconds ?? 10) * 1000, watch);
    watch.run = watch.last === success ? watch.run + 1 : 1;
    watch.last = success;
    const threshold = success ? (spec.successThreshold ?? 1) : (spec.failureThreshold ?? 3);
    if (watch.run >= threshold && this.#settle(watch, success)) return;
    this.#after((spec.periodSeconds ?? 10) * 1000, watch);
  }

  /** @returns whether there is no more to probe */
  #settle({ kind, spec }: Watch, success: boolean): boolean {
    const { changed } = this.#options;
    if (kind === "readiness") {
      if (this.#ready !== success) {
        this.#ready = success;
        changed();
      }
      return false;
    }
    if (!success) {
      this.#unhealthy = { kind, spec };
      changed();
      return true;
    }
    if (kind === "liveness") return false;
    this.#started = true;
    this.#beginOthers();
    changed();
    return true;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    for (const timer of this.#timers) timer[Symbol.dispose]();
  }
}
