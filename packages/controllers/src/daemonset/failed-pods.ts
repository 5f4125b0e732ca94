import { Backoff, keyOf } from "@boxship/client";
import type { ControllerContext } from "../contract.ts";
import type { DaemonSet } from "../types/sets.ts";

/** A pod that fails again and again on a node is replaced after a second, then two, up to a quarter of an hour. */
export class FailedPods {
  readonly #waits = new Map<string, { readonly backoff: Backoff; until: number }>();

  /** Whether the failed pod may be replaced now; else the set is looked at again when it may. */
  mayDelete({ clock, queue }: ControllerContext, set: DaemonSet, node: string): boolean {
    const id = `${set.metadata.uid}/${set.metadata.generation}/${node}`;
    const now = clock.monotonic();
    const known = this.#waits.get(id) ?? { backoff: new Backoff({ base: 1000, most: 900_000 }), until: 0 };
    this.#waits.set(id, known);
    if (now < known.until) {
      queue.addAfter(keyOf(set), known.until - now);
      return false;
    }
    known.until = now + known.backoff.next();
    return true;
  }

  forget({ metadata: { uid } }: DaemonSet): void {
    for (const id of this.#waits.keys()) if (id.startsWith(`${uid}/`)) this.#waits.delete(id);
  }
}
