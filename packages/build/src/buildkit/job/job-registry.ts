import { AlreadyExists, NotFound } from "@boxship/base";
import type { BuildJob } from "./build-job.ts";

/** How long a call about a build waits for it to begin: clients send them at the same time. */
const WAIT_MS = 6000;

/** How long a build that has ended can still be asked what happened: the question may come after the end. */
const LINGER_MS = 10_000;

/** The builds that are under way, by the references that clients chose. */
export class JobRegistry {
  readonly #jobs = new Map<string, BuildJob>();
  readonly #ended = new Map<string, BuildJob>();
  readonly #ending = new Set<() => void>();
  readonly #waiting = new Set<() => void>();

  /** @returns what takes it out again. @throws AlreadyExists */
  add(job: BuildJob): Disposable {
    if (this.#jobs.has(job.ref)) throw new AlreadyExists(`build ${job.ref} is under way already`);
    this.#jobs.set(job.ref, job);
    for (const wake of this.#waiting) wake();
    return { [Symbol.dispose]: () => this.#end(job) };
  }

  /** A build that is under way, or ended a moment ago. */
  find(ref: string): BuildJob | undefined {
    return this.#jobs.get(ref) ?? this.#ended.get(ref);
  }

  /** Resolves when no build is under way. */
  async idle(): Promise<void> {
    while (this.#jobs.size > 0) await new Promise<void>((resolve) => this.#ending.add(resolve));
  }

  #end(job: BuildJob): void {
    this.#jobs.delete(job.ref);
    this.#ended.set(job.ref, job);
    for (const wake of this.#ending) wake();
    this.#ending.clear();
    setTimeout(() => this.#ended.delete(job.ref), LINGER_MS).unref();
  }

  /** A build that is there, or that begins soon. @throws NotFound, and the signal's reason */
  async get(ref: string, signal: AbortSignal): Promise<BuildJob> {
    const late = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const job = this.#jobs.get(ref);
      if (job !== undefined) return job;
      signal.throwIfAborted();
      if (late.aborted) throw new NotFound(`no build ${ref} is under way`);
      await this.#next(AbortSignal.any([signal, late]));
    }
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}
