import { InvalidArgument } from "@boxship/base";

/** How many characters may be compared for one pattern: files are somebody else's, and must not stop everybody. */
const MOST_COMPARED = 20_000_000;

/** Any character. */
const ANY = -1;

/** What stands between two stars. */
type Segment = readonly number[];

/**
 * A shell's pattern (`*`, `?`, `\x`). What stands between its stars has a fixed length, so that the first place that fits
 * a segment is always right for it, and no choice is ever taken back.
 *
 * @throws InvalidArgument, by each method, when a pattern takes too much work
 */
export class ShellPattern {
  readonly #segments: readonly Segment[];
  #compared = 0;

  constructor(pattern: string) {
    this.#segments = segmentsOf(pattern);
  }

  /** What is left of a text without the beginning that fits; all of it when none does. */
  withoutBeginning(text: string, longest: boolean): string {
    return text.slice(this.#end(this.#segments, text, 0, longest) ?? 0);
  }

  /** What is left of a text without the end that fits; all of it when none does. */
  withoutEnd(text: string, longest: boolean): string {
    const mirrored = this.#segments.map((segment) => segment.toReversed()).reverse();
    const length = this.#end(mirrored, text.split("").reverse().join(""), 0, longest) ?? 0;
    return text.slice(0, text.length - length);
  }

  /** Replaces the first part that fits, or every one; of those that begin at one place the longest. */
  replace(text: string, replacement: string, all: boolean): string {
    const [first = []] = this.#segments;
    let replaced = "";
    let done = 0;
    for (let from = 0; from <= text.length; from = Math.max(from + 1, done)) {
      const start = this.#find(first, text, from, true);
      const end = start === undefined ? undefined : this.#end(this.#segments, text, start, true);
      if (start === undefined || end === undefined) break;
      replaced += text.slice(done, start);
      // Nothing is not replaced right behind what was.
      if (end > done || start === 0) replaced += replacement;
      done = end;
      if (!all) break;
      from = Math.max(from, start);
    }
    return replaced + text.slice(done);
  }

  /** Where a fitting part that begins at `start` ends. */
  #end([first = [], ...others]: readonly Segment[], text: string, start: number, longest: boolean): number | undefined {
    if (!this.#fits(first, text, start)) return undefined;
    let end = start + first.length;
    for (const [index, segment] of others.entries()) {
      const isLast = index === others.length - 1;
      const found = this.#find(segment, text, end, !(isLast && longest));
      if (found === undefined) return undefined;
      end = found + segment.length;
    }
    return end;
  }

  /** The first or the last place of a segment, not before `from`. */
  #find(segment: Segment, text: string, from: number, first: boolean): number | undefined {
    const last = text.length - segment.length;
    if (first) {
      for (let at = from; at <= last; at++) if (this.#fits(segment, text, at)) return at;
    } else {
      for (let at = last; at >= from; at--) if (this.#fits(segment, text, at)) return at;
    }
    return undefined;
  }

  #fits(segment: Segment, text: string, at: number): boolean {
    for (const [index, code] of segment.entries()) {
      if (++this.#compared > MOST_COMPARED) {
        throw new InvalidArgument("a pattern takes too much work", {
          remedy: "use a shorter pattern, or a shorter value",
        });
      }
      if (code !== ANY && text.charCodeAt(at + index) !== code) return false;
    }
    return at + segment.length <= text.length;
  }
}

function segmentsOf(pattern: string): readonly Segment[] {
  const segments: number[][] = [[]];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    const segment = segments.at(-1);
    if (character === "*") segments.push([]);
    else if (character === "?") segment?.push(ANY);
    else if (character !== "\\") segment?.push(character.charCodeAt(0));
    else if (++at < pattern.length) segment?.push(pattern.charCodeAt(at));
  }
  return segments;
}
