import { readFileSync } from "node:fs";

/**
 * Which ports to try when none was asked for: those of the host's ephemeral range, in a circle, so that a port that was
 * just released is not the next to be taken.
 */
export class PortChooser {
  #next = 0;

  *candidates(): Generator<number> {
    const { first, last } = ephemeralRange();
    const count = last - first + 1;
    const start = this.#next >= first && this.#next <= last ? this.#next : first;
    for (let step = 0; step < count; step++) {
      const port = first + ((start - first + step) % count);
      this.#next = port + 1;
      yield port;
    }
  }
}

function ephemeralRange(): { readonly first: number; readonly last: number } {
  const [first, last] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/).map(Number);
  return { first: first ?? 32768, last: last ?? 60999 };
}
