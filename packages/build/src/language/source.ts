import { type ErrorDetails, hideCredentials, InvalidArgument } from "@boxship/base";

/** Lines in a file, from 1, both included. */
export type LineRange = readonly [first: number, last: number];

/** Where something stands. */
export interface Place {
  /** The file's name as the user knows it. */
  readonly file: string;
  readonly lines: LineRange;
}

/** Lines of a file, numbered from 1, with those that are meant marked. */
export type Excerpt = readonly { readonly line: number; readonly text: string; readonly failed: boolean }[];

const CONTEXT_LINES = 2;

/** Some lines of a file with those around them. Credentials in addresses are hidden. */
export function excerptOf(source: readonly string[], lines: LineRange): Excerpt {
  const [first, last] = [Math.max(1, lines[0] - CONTEXT_LINES), Math.min(source.length, lines[1] + CONTEXT_LINES)];
  return Array.from({ length: Math.min(Math.max(0, last - first + 1), MOST_LINES) }, (_, index) => {
    const line = first + index;
    return { line, text: shorten(source[line - 1] ?? ""), failed: line >= lines[0] && line <= lines[1] };
  });
}

/** What of a file is shown, whatever its size: lines, and characters of each. */
const [MOST_LINES, MOST_CHARACTERS] = [50, 500];
/** Where credentials are looked for: whoever is cut off in the middle of one must not be shown its beginning. */
const SEARCHED = 16 * MOST_CHARACTERS;

function shorten(text: string): string {
  const shown = hideCredentials(text.slice(0, SEARCHED));
  return shown.length > MOST_CHARACTERS ? `${shown.slice(0, MOST_CHARACTERS)} …` : shown;
}

/** A mistake in a Containerfile. The message says file and line; {@link what} is without them. */
export class ContainerfileError extends InvalidArgument {
  readonly place: Place;
  readonly what: string;
  /** Its lines, once {@link showLines} was called. */
  excerpt: Excerpt = [];

  constructor(place: Place, what: string, details: ErrorDetails = {}) {
    super(`${place.file}:${place.lines[0]}: ${what}`, {
      subject: { kind: "containerfile", name: place.file },
      ...details,
    });
    this.place = place;
    this.what = what;
  }
}

/** Lets a mistake show its lines of the files that were read. */
export function showLines(error: unknown, sources: ReadonlyMap<string, readonly string[]>): void {
  if (!(error instanceof ContainerfileError) || error.excerpt.length > 0) return;
  error.excerpt = excerptOf(sources.get(error.place.file) ?? [], error.place.lines);
}

/** Throws a {@link ContainerfileError}. */
export function refuse(place: Place, what: string, remedy?: string): never {
  throw new ContainerfileError(place, what, remedy === undefined ? {} : { remedy });
}

/** No name that anybody mistypes is longer. */
const LONGEST_NAME = 100;

/** Names that are close to a mistyped one, the closest first. */
export function closest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > LONGEST_NAME) return undefined;
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

/** How many characters have to be put in, taken out or changed (Levenshtein). */
export function editDistance(from: string, to: string): number {
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
