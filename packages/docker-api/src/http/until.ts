import { InvalidArgument } from "@boxship/base";
import type { Filters } from "./filters.ts";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const GO_DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;

/**
 * The prune filter `until`: a Unix time, a date, or how long ago (`24h`, `1h30m`).
 *
 * @returns milliseconds since the epoch, or undefined when there is no such filter
 */
export function untilTime(filters: Filters, now: number): number | undefined {
  const [text, ...more] = filters.get("until");
  if (text === undefined) return undefined;
  if (more.length > 0) throw new InvalidArgument("more than one until filter specified");
  if (/^\d{1,13}(?:\.\d{1,9})?$/.test(text)) return Number(text) * 1000;
  if (GO_DURATION.test(text)) return now - durationMs(text);
  const date = Date.parse(text);
  if (Number.isNaN(date)) throw new InvalidArgument(`invalid filter 'until=${text}': neither a time nor a duration`);
  return date;
}

function durationMs(text: string): number {
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(amount) * (UNITS[unit ?? ""] ?? 0);
  }
  return total;
}
