import type { Kind } from "@boxship/api";
import type { Clock } from "@boxship/base";
import type { Store } from "@boxship/store";

/** Seconds that an event is kept, as upstream keeps it. */
const EVENT_SECONDS = 3600;
/** Objects made within this time share a lease. */
const SHARED_SECONDS = 60;

/** Leases of objects that end by themselves: events. */
export class ObjectLeases {
  readonly #store: Store;
  readonly #clock: Clock;
  #current: { readonly id: Promise<number>; readonly until: number } | undefined;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The lease to create an object of this kind with; 0: none. */
  async leaseFor({ resource, group }: Kind): Promise<number> {
    if (resource !== "events" || (group !== "" && group !== "events.k8s.io")) return 0;
    const now = this.#clock.monotonic();
    if (this.#current === undefined || this.#current.until < now) {
      const id = this.#store.grantLease(EVENT_SECONDS).then((lease) => lease.id);
      this.#current = { id, until: now + SHARED_SECONDS * 1000 };
      id.catch(() => (this.#current = undefined));
    }
    return await this.#current.id;
  }
}
