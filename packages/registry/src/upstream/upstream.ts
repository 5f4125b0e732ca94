import {
  type Clock,
  DeadlineExceeded,
  InvalidArgument,
  type Logger,
  ResourceExhausted,
  Unavailable,
} from "@boxship/base";
import {
  type Credentials,
  createRegistryClient,
  credentialsFor,
  isDigest,
  isDiskFull,
  type Reference,
  type RegistryClient,
} from "@boxship/oci";

/** Another registry, of which what is pulled is kept. */
export interface UpstreamOptions {
  /** `hub` serves its `library/nginx` as `hub/library/nginx`; empty: everything that nothing else serves. */
  readonly prefix: string;
  /** Its host, with a port where that is not the usual one; `docker.io` for Docker's own. */
  readonly registry: string;
  readonly credentials?: { readonly username: string; readonly password: string };
  /** Plain HTTP, or any certificate. @default false, true for loopback addresses */
  readonly insecure?: boolean;
  /** PEM certificates that are trusted besides the system's. */
  readonly ca?: string;
  /** Milliseconds for which what a tag stands for is not asked again. @default one minute */
  readonly fresh?: number;
  /** Milliseconds for which it is served without an answer of the registry. @default 30 days */
  readonly stale?: number;
}

const MINUTE = 60_000;
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 2 * MINUTE;
/** Clients wait, and have something to fall back on. */
const RETRY = { attempts: 2, budgetMs: 5000, baseMs: 100 };
const IDLE = 15_000;

/**
 * Whether a registry did not answer, not now, or not what it should; it says no to what it does not have or does not give.
 * That there is no room here is not its fault.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof ResourceExhausted) return !isDiskFull(error);
  return error instanceof Unavailable || error instanceof DeadlineExceeded;
}

/** What whoever gets something should know that is `age` milliseconds old. */
export function staleWarning({ options: { registry } }: Upstream, age: number): string {
  return `${registry} does not answer; this is what it had ${Math.floor(age / 60_000)} minutes ago`;
}

/** One other registry. After a failure it is left alone for a while, ever longer, so that nobody waits for it. */
export class Upstream implements AsyncDisposable {
  readonly options: UpstreamOptions;
  readonly client: RegistryClient;
  readonly fresh: number;
  readonly stale: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #pause = 0;
  #until = -Infinity;

  constructor(options: UpstreamOptions, clock: Clock, logger: Logger) {
    const { registry, credentials, insecure, ca, fresh = MINUTE, stale = 30 * 24 * 60 * MINUTE } = options;
    this.options = options;
    this.fresh = fresh;
    this.stale = stale;
    this.#clock = clock;
    this.#logger = logger;
    const password: Credentials | undefined = credentials && { kind: "password", ...credentials };
    this.client = createRegistryClient({
      registries: { [registry]: { ...(insecure !== undefined && { insecure }), ...(ca !== undefined && { ca }) } },
      ...(password !== undefined && { credentials: credentialsFor(registry, password) }),
      retry: RETRY,
      idleTimeoutMs: IDLE,
      clock,
      logger,
    });
  }

  /** The name of one of our repositories there. */
  reference(repository: string, reference?: string): Reference {
    const { prefix, registry } = this.options;
    const path = prefix === "" ? repository : repository.slice(prefix.length + 1);
    const base = { domain: registry, path };
    if (reference === undefined) return base;
    return isDigest(reference) ? { ...base, digest: reference } : { ...base, tag: reference };
  }

  /**
   * Asks the registry, unless it failed only just now.
   *
   * @throws Unavailable where it does not answer, or has not lately; else whatever it says
   */
  async ask<T>(work: (client: RegistryClient) => Promise<T>): Promise<T> {
    const { registry } = this.options;
    const left = this.#until - this.#clock.monotonic();
    if (left > 0) {
      throw new Unavailable(`registry ${registry} did not answer, and is asked again in ${Math.ceil(left / 1000)} s`, {
        subject: { kind: "registry", name: registry },
      });
    }
    try {
      const result = await work(this.client);
      this.#pause = 0;
      return result;
    } catch (error) {
      if (isOutage(error)) this.#failed(error);
      else this.#pause = 0;
      // It is not whoever asks here that is wrong.
      if (error instanceof InvalidArgument) throw new Unavailable(error.message, { cause: error });
      throw error;
    }
  }

  #failed(error: unknown): void {
    this.#pause = Math.min(LONGEST_PAUSE, Math.max(FIRST_PAUSE, this.#pause * 2));
    this.#until = this.#clock.monotonic() + this.#pause;
    this.#logger.warn("a registry that is cached does not answer", { registry: this.options.registry, error });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }
}
