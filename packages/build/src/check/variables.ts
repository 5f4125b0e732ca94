import { expandWord } from "@boxship/oci";

/** A word with its variables replaced, and which of them there were. */
export interface Expanded {
  readonly text: string;
  readonly found: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

/** Replaces variables and remembers them. @throws InvalidArgument */
export function expandKnown(word: string, values: ReadonlyMap<string, string>, escape: "\\" | "`"): Expanded {
  if (!/[$'"\\`]/.test(word)) return { text: word, found: NONE, missing: NONE };
  const [found, missing] = [new Set<string>(), new Set<string>()];
  const text = expandWord(
    word,
    (name) => {
      const value = values.get(name);
      (value === undefined ? missing : found).add(name);
      return value;
    },
    { escape },
  );
  return { text, found, missing };
}
