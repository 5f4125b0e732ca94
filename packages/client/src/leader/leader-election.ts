import { type KubeObject, textAt, timestamp, valueAt } from "@boxship/api";
import { AlreadyExists, type Clock, Conflict, type Logger, NotFound, sleep, systemClock } from "@boxship/base";
import type { ApiClient, ObjectRef } from "../contract.ts";

export interface LeaderElectionOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  /** Of the Lease that all candidates share. */
  readonly name: string;
  /** Who we are; no two candidates may have the same. */
  readonly identity: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Milliseconds after which others may take over what was not renewed. @default 15000 */
  readonly leaseDuration?: number;
  /** Milliseconds in which a renewal must succeed, or the leadership is given up; less than the above. @default 10000 */
  readonly renewDeadline?: number;
  /** Milliseconds between tries. @default 2000 */
  readonly retryPeriod?: number;
  /** Does the leader's work until the signal is aborted; when it resolves, the leadership is given back. */
  readonly lead: (signal: AbortSignal) => Promise<void>;
}

interface Observed {
  readonly text: string;
  /** Our own monotonic time: clocks of other candidates are not compared. */
  readonly at: number;
}

const LEASES = { group: "coordination.k8s.io", version: "v1", resource: "leases" } as const;

/** One leader at a time among candidates, by a Lease, in the way of client-go. */
export class LeaderElection {
  readonly #options: Required<Omit<LeaderElectionOptions, "clock">> & { readonly clock: Clock };
  readonly #ref: ObjectRef;
  #observed: Observed | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = {
      clock: systemClock,
      leaseDuration: 15_000,
      renewDeadline: 10_000,
      retryPeriod: 2000,
      ...options,
    };
    this.#ref = { ...LEASES, namespace: options.namespace, name: options.name };
  }

  /** Waits for the leadership, leads once, and gives it back. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, retryPeriod, lead, logger, identity, name } = this.#options;
    while (!(await this.#tryToHold())) {
      await sleep(clock, retryPeriod * (1 + Math.random() * 0.2), signal).catch(() => {});
      if (signal.aborted) return;
    }
    logger.info("became leader", { lease: name, identity });
    const lost = new AbortController();
    const leading = lead(AbortSignal.any([signal, lost.signal]));
    const over = new AbortController();
    const renewing = this.#renew(over.signal).then(() => lost.abort(new Conflict(`the lease ${name} was lost`)));
    try {
      await leading;
    } finally {
      over.abort();
      await renewing;
      await this.#release();
    }
  }

  /** Resolves when the lease could not be renewed in time, or when it is over. */
  async #renew(over: AbortSignal): Promise<void> {
    const { clock, retryPeriod, renewDeadline, logger, name } = this.#options;
    let renewed = clock.monotonic();
    while (!over.aborted) {
      await sleep(clock, retryPeriod, over).catch(() => {});
      if (over.aborted) return;
      if (await this.#tryToHold()) renewed = clock.monotonic();
      else if (clock.monotonic() - renewed >= renewDeadline) {
        logger.error("the lease could not be renewed in time: no longer leader", { lease: name });
        return;
      }
    }
  }

  async #tryToHold(): Promise<boolean> {
    const { logger, name } = this.#options;
    try {
      return await this.#hold();
    } catch (error) {
      // Another candidate was quicker.
      if (!(error instanceof Conflict || error instanceof AlreadyExists)) {
        logger.warn("the lease cannot be had", { lease: name, error });
      }
      return false;
    }
  }

  async #hold(): Promise<boolean> {
    const { client, identity, clock, leaseDuration } = this.#options;
    const present = await this.#read();
    if (present === undefined) {
      const { namespace, name } = this.#ref;
      const metadata = { ...(namespace === undefined ? {} : { namespace }), name };
      await client.create(this.#ref, {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata,
        spec: this.#spec(),
      });
      return true;
    }
    const text = JSON.stringify(present["spec"] ?? {});
    if (this.#observed?.text !== text) this.#observed = { text, at: clock.monotonic() };
    const holder = textAt(present, "spec", "holderIdentity");
    const seconds = Number(valueAt(present, "spec", "leaseDurationSeconds") ?? leaseDuration / 1000);
    const valid = clock.monotonic() - this.#observed.at < seconds * 1000;
    if (holder !== "" && holder !== identity && valid) return false;
    await client.update(this.#ref, { ...present, spec: this.#spec(present, holder) });
    return true;
  }

  async #read(): Promise<KubeObject | undefined> {
    try {
      return await this.#options.client.get(this.#ref);
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  #spec(present?: KubeObject, holder?: string) {
    const { identity, clock, leaseDuration } = this.#options;
    const now = `${new Date(clock.now()).toISOString().slice(0, -1)}000Z`;
    const transitions = Number(valueAt(present, "spec", "leaseTransitions") ?? 0);
    const kept = holder === identity ? valueAt(present, "spec", "acquireTime") : undefined;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseDuration / 1000),
      acquireTime: kept ?? now,
      renewTime: now,
      leaseTransitions: present === undefined || holder === identity ? transitions : transitions + 1,
    };
  }

  /** Others need not wait for the end of the lease. */
  async #release(): Promise<void> {
    const { client, identity, clock, logger, name } = this.#options;
    try {
      const present = await this.#read();
      if (present === undefined || textAt(present, "spec", "holderIdentity") !== identity) return;
      const spec = { ...this.#spec(present, identity), holderIdentity: "", leaseDurationSeconds: 1 };
      await client.update(this.#ref, { ...present, spec });
    } catch (error) {
      logger.warn("the lease could not be given back", { lease: name, at: timestamp(clock.now()), error });
    }
  }
}
