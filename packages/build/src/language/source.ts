import { type ErrorDetails, InvalidArgument } from "@boxship/base";

/** Lines in a file, from 1, both included. */
export type LineRange = readonly [first: number, last: number];

/** Where something stands. */
export interface Place {
  /** The file's name as the user knows it. */
  readonly file: string;
  readonly lines: LineRange;
}

/** A mistake in a Containerfile. The message says file and line; {@link what} is without them. */
export class ContainerfileError extends InvalidArgument {
  readonly place: Place;
  readonly what: string;

  constructor(place: Place, what: string, details: ErrorDetails = {}) {
    super(`${place.file}:${place.lines[0]}: ${what}`, {
      subject: { kind: "containerfile", name: place.file },
      ...details,
    });
    this.place = place;
    this.what = what;
  }
}

/** Throws a {@link ContainerfileError}. */
export function refuse(place: Place, what: string, remedy?: string): never {
  throw new ContainerfileError(place, what, remedy === undefined ? {} : { remedy });
}

/** Names that are close to a mistyped one, the closest first. */
export function closest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.min(3, Math.ceil(name.length / 2) + 1);
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance >= least) continue;
    best = candidate;
    least = distance;
  }
  return best;
}

function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = from[i - 1] === to[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + change));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
