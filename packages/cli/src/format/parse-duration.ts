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

const PART = /(\d+\.?\d*|\.\d+)([^\d.]*)/y;

/**
 * Go's duration (`1h15m30.5s`, `-300ms`) in nanoseconds.
 *
 * @throws FlagError with Go's text
 */
export function parseDuration(text: string): number {
  const quoted = JSON.stringify(text);
  const body = text.replace(/^[+-]/, "");
  if (body === "0") return 0;
  let total = 0;
  if (body === "") throw new FlagError(`time: invalid duration ${quoted}`);
  for (let at = 0; at < body.length; at = PART.lastIndex) {
    PART.lastIndex = at;
    const [, amount, unit = ""] = PART.exec(body) ?? [];
    if (amount === undefined) throw new FlagError(`time: invalid duration ${quoted}`);
    if (unit === "") throw new FlagError(`time: missing unit in duration ${quoted}`);
    const factor = NANOSECONDS[unit];
    if (factor === undefined) throw new FlagError(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    total += Number(amount) * factor;
  }
  return Math.round(text.startsWith("-") ? -total : total);
}
