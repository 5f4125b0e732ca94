import { InvalidArgument } from "@boxship/base";

/** An empty query, shared by all requests that have none. */
export const NO_QUERY: URLSearchParams = new URLSearchParams();

/** A query that remembers what was looked for in it: that is what an endpoint knows. */
export class RecordedQuery extends URLSearchParams {
  readonly asked = new Set<string>();
  filters: readonly string[] | undefined;

  override get(name: string): string | null {
    this.asked.add(name);
    return super.get(name);
  }

  override getAll(name: string): string[] {
    this.asked.add(name);
    return super.getAll(name);
  }

  override has(name: string): boolean {
    this.asked.add(name);
    return super.has(name);
  }
}

const FALSE = new Set(["", "0", "no", "false", "none"]);

/** A query flag as Docker reads it: anything but nothing, `0`, `no`, `false` and `none` is true. */
export function flag(query: URLSearchParams, name: string, absent = false): boolean {
  const value = query.get(name);
  return value === null ? absent : !FALSE.has(value.trim().toLowerCase());
}

/** A non-empty string, or undefined. */
export function text(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name);
  return value === null || value === "" ? undefined : value;
}

/** A string that must be there. */
export function required(query: URLSearchParams, name: string): string {
  const value = text(query, name);
  if (value === undefined) throw new InvalidArgument(`parameter ${name} is required`);
  return value;
}

/** Labels as JSON. */
export function labelsOf(query: URLSearchParams): Readonly<Record<string, string>> {
  const value = text(query, "labels");
  if (value === undefined) return {};
  try {
    const labels: unknown = JSON.parse(value);
    const good = typeof labels === "object" && labels !== null && !Array.isArray(labels);
    if (good && Object.values(labels).every((label) => typeof label === "string"))
      return labels as Record<string, string>;
  } catch {
    // Said below.
  }
  throw new InvalidArgument("parameter labels must be an object of strings");
}

/** A decimal integer, or undefined when absent or empty. Throws {@link InvalidArgument} on anything else. */
export function integer(query: URLSearchParams, name: string): number | undefined {
  const value = text(query, name);
  if (value === undefined) return undefined;
  if (!/^[+-]?\d{1,15}$/.test(value)) {
    throw new InvalidArgument(`invalid value ${JSON.stringify(value)} of parameter ${name}: not an integer`);
  }
  return Number(value);
}

/** An integer that must be there and not negative. */
export function size(query: URLSearchParams, name: string): number {
  const value = integer(query, name);
  if (value === undefined || value < 0 || value > 65_535) {
    throw new InvalidArgument(`parameter ${name} must be an integer from 0 to 65535`);
  }
  return value;
}

/** A Unix time with up to nine decimals (`1136073600.000000001`) as milliseconds, or undefined when absent or empty. */
export function timestamp(query: URLSearchParams, name: string): number | undefined {
  const value = text(query, name);
  if (value === undefined) return undefined;
  const match = /^(-?\d{1,13})(?:\.(\d{1,9}))?$/.exec(value);
  if (match === null) {
    throw new InvalidArgument(
      `invalid value ${JSON.stringify(value)} of parameter ${name}: not a Unix time in seconds`,
    );
  }
  const seconds = Number(match[1]);
  const fraction = Number(`0.${match[2] ?? "0"}`);
  return seconds * 1000 + (value.startsWith("-") ? -fraction : fraction) * 1000;
}
