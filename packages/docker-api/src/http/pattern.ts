import { InvalidArgument } from "@boxship/base";

const PLAIN = /^[\w./:-]*$/;

/**
 * A name or id filter, which Docker takes as a regular expression found anywhere. Most are plain text; the others run
 * on an engine that cannot be made to backtrack for ever, loaded when it is needed.
 */
export async function compilePattern(text: string): Promise<(value: string) => boolean> {
  if (PLAIN.test(text) && !text.includes(".")) return (value) => value.includes(text);
  const { RE2JS } = await import("re2js");
  try {
    const pattern = RE2JS.compile(text);
    return (value) => pattern.matcher(value).find();
  } catch (cause) {
    throw new InvalidArgument(`invalid regular expression ${JSON.stringify(text)} in a filter`, { cause });
  }
}
