import { tryParseDuration } from "@boxship/base/duration";
import { Unsupported } from "@boxship/base/errors";
import { FlagError, type ParsedFlag } from "@boxship/base/parse-flags";

export { array, bool, int, str } from "@boxship/kubectl/flags";

/** What is known by name and not there. @throws Unsupported that names it */
export function refuseFlags(changed: ReadonlySet<string>, ...names: readonly string[]): void {
  for (const name of names) if (changed.has(name)) throw new Unsupported(`--${name} is not supported`);
}

/** A duration in milliseconds. */
export function duration(initial: string): ParsedFlag<number> {
  const parse = (text: string): number => {
    const nanoseconds = tryParseDuration(text);
    if (nanoseconds === undefined) throw new FlagError(`time: invalid duration ${JSON.stringify(text)}`);
    return nanoseconds / 1e6;
  };
  return { initial: parse(initial), parse };
}

export const FORMATS = ["json", "table", "yaml"] as const;
export type Format = (typeof FORMATS)[number];

/** How a command tells what it has found. */
export const format: ParsedFlag<Format> = {
  short: "o",
  initial: "table",
  parse(text) {
    const known = FORMATS.find((one) => one === text);
    if (known === undefined) throw new FlagError("invalid format type");
    return known;
  },
};

/** `a=b,c=d`, also several times. */
export function labels(more: { readonly short?: string } = {}): ParsedFlag<Readonly<Record<string, string>>> {
  return {
    ...more,
    initial: {},
    parse(text, before) {
      const pairs = text.split(",").map((pair) => {
        const at = pair.indexOf("=");
        if (at < 1) throw new FlagError(`${pair} must be formatted as key=value`);
        return [pair.slice(0, at), pair.slice(at + 1)] as const;
      });
      return { ...before, ...Object.fromEntries(pairs) };
    },
  };
}
