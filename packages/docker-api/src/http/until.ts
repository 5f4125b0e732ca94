import { InvalidArgument, tryParseDuration } from "@boxship/base";
import type { Filters } from "./filters.ts";

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
  const ago = tryParseDuration(text);
  if (ago !== undefined) return now - ago / 1e6;
  const date = Date.parse(text);
  if (Number.isNaN(date)) throw new InvalidArgument(`invalid filter 'until=${text}': neither a time nor a duration`);
  return date;
}
