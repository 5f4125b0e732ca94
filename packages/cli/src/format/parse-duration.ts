import { FlagError } from "../failure.ts";

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/**
 * Go's duration (`1h15m30.5s`, `-300ms`) in nanoseconds.
 *
 * @throws FlagError with Go's text
 */
export function parseDuration(text: string): number {
  const invalid = (): FlagError => {
    const bare = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text);
    return new FlagError(`time: ${bare ? "missing unit in" : "invalid"} duration ${JSON.stringify(text)}`);
  };
  const body = text.replace(/^[+-]/, "");
  if (body === "0") return 0;
  if (body === "") throw invalid();
  let total = 0;
  for (let at = 0; at < body.length; at = PART.lastIndex) {
    PART.lastIndex = at;
    const part = PART.exec(body);
    if (part === null) throw invalid();
    total += Number(part[1]) * (NANOSECONDS[part[2] ?? ""] ?? 0);
  }
  return Math.round(text.startsWith("-") ? -total : total);
}
