import { editDistance } from "../language/source.ts";

/** A distance from which on names are not alike. */
const FAR = 3;
/** Among more names than that nobody is helped. */
const MOST_NAMES = 1000;

/** The name that a mistyped one was meant to be; undefined when none is close, or it is one of them. */
export function suggestName(name: string, names: Iterable<string>): string | undefined {
  const known = [...names];
  if (known.length > MOST_NAMES || name.length > 200 || known.includes(name)) return undefined;
  let least = FAR;
  let best: string | undefined;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const distance = editDistance(name, candidate);
    if (distance < least) [least, best] = [distance, candidate];
  }
  return best;
}

/** ` (did you mean NAME?)`, or nothing. */
export function suggestion(name: string, names: Iterable<string>, sign = ""): string {
  const best = suggestName(name, names);
  return best === undefined ? "" : ` (did you mean ${sign}${best}?)`;
}
