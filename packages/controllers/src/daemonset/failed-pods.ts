import { Backoff, keyOf } from "@boxship/client";
import type { ControllerContext } from "../contract.ts";
import type { DaemonSet } from "../types/sets.ts";

const MOST_MS = 900_000;
/** Who has not failed for so long begins anew. */
const FORGOTTEN_MS = 2 * MOST_MS;

interface Wait {
  readonly backoff: Backoff;
  /** Monotonic milliseconds of the last replacement. */
  at: number;
  until: number;
}

/** A pod that fails again and again on a node is replaced after a second, then two, up to a quarter of an hour. */
export class FailedPods {
  readonly #waits = new Map<string, Wait>();

  /** Whether the failed pod may be replaced now; else the set is looked at again when it may. */
  mayDelete({ clock, queue }: ControllerContext, set: DaemonSet, node: string): boolean {
    const id = `${set.metadata.uid}/${set.metadata.generation}/${node}`;
    const now = clock.monotonic();
    this.#forgetOld(now);
    const known = this.#waits.get(id) ?? { backoff: new Backoff({ base: 1000, most: MOST_MS }), at: now, until: 0 };
    if (now < known.until) {
      queue.addAfter(keyOf(set), known.until - now);
      return false;
    }
    known.at = now;
    known.until = now + known.backoff.next();
    // The newest is the last: those before it are looked at first.
    this.#waits.delete(id);
    this.#waits.set(id, known);
    return true;
  }

  #forgetOld(now: number): void {
    for (const [id, { at }] of this.#waits) {
      if (now - at <= FORGOTTEN_MS) return;
      this.#waits.delete(id);
    }
  }

  forget({ metadata: { uid } }: DaemonSet): void {
    for (const id of this.#waits.keys()) if (id.startsWith(`${uid}/`)) this.#waits.delete(id);
  }
}
