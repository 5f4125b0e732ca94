import { InvalidArgument } from "@boxship/base";

const PLAIN = /^[\w./:-]*$/;
/** Most parts of an expression once its counted repetitions are written out: each costs its time at every character. */
const LARGEST = 2000;

/**
 * A name or id filter, which Docker takes as a regular expression found anywhere. Most are plain text; the others run
 * on an engine that cannot be made to backtrack for ever, loaded when it is needed.
 */
export async function compilePattern(text: string): Promise<(value: string) => boolean> {
  if (PLAIN.test(text) && !text.includes(".")) return (value) => value.includes(text);
  if (expandedSize(text) > LARGEST) throw new InvalidArgument("a regular expression in a filter is too large");
  const { RE2JS } = await import("re2js");
  try {
    const pattern = RE2JS.compile(text);
    return (value) => pattern.matcher(value).find();
  } catch (cause) {
    throw new InvalidArgument(`invalid regular expression ${JSON.stringify(text)} in a filter`, { cause });
  }
}

/** At most so many parts, as if every repetition were inside of every other. */
function expandedSize(text: string): number {
  let size = text.length;
  for (const [, least = "", most = ""] of text.matchAll(/\{(\d+)(?:,(\d*))?\}/g))
    size *= Math.max(Number(least), Number(most), 1);
  return size;
}
