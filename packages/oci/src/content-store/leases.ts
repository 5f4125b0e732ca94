import type { Digest } from "../digest.ts";
import type { Lease } from "./contract.ts";

/** Digests that somebody holds, each as often as it is held. */
export class Leases {
  readonly #counts = new Map<Digest, number>();

  has(digest: Digest): boolean {
    return this.#counts.has(digest);
  }

  lease(): Lease {
    const held = new Set<Digest>();
    return {
      add: (digest) => {
        if (held.has(digest)) return;
        held.add(digest);
        this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
      },
      [Symbol.dispose]: () => {
        for (const digest of held) {
          const left = (this.#counts.get(digest) ?? 1) - 1;
          if (left === 0) this.#counts.delete(digest);
          else this.#counts.set(digest, left);
        }
        held.clear();
      },
    };
  }
}
