/** Go's zero time, which Docker shows for "never". */
export const NEVER = "0001-01-01T00:00:00Z";

/** Milliseconds since the epoch as RFC 3339; nothing is {@link NEVER}. */
export function rfc3339(ms: number | undefined): string {
  return ms === undefined || ms === 0 ? NEVER : new Date(ms).toISOString();
}

/** Milliseconds since the epoch as whole Unix seconds. */
export function unixSeconds(ms: number): number {
  return Math.trunc(ms / 1000);
}

/** An RFC 3339 time as whole Unix seconds; 0 when there is none. */
export function parseUnixSeconds(time: string | undefined): number {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? 0 : unixSeconds(ms);
}
