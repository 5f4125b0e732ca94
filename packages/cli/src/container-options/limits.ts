import { FlagError } from "../failure.ts";
import { parseInteger } from "../flags/flag.ts";
import { parseBytes } from "../format/parse-size.ts";

export interface Ulimit {
  readonly Name: string;
  readonly Hard: number;
  readonly Soft: number;
}

const ULIMITS: ReadonlySet<string> = new Set([
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
]);

const INT64: readonly [bigint, bigint] = [-(2n ** 63n), 2n ** 63n - 1n];

/** `NAME=SOFT[:HARD]`; -1 is unlimited. */
export function parseUlimit(value: string): Ulimit {
  const at = value.indexOf("=");
  if (at < 0) throw new FlagError(`invalid ulimit argument: ${value}`);
  const name = value.slice(0, at);
  if (!ULIMITS.has(name)) throw new FlagError(`invalid ulimit type: ${name}`);
  const limits = value.slice(at + 1);
  const [first = "", second, ...rest] = limits.split(":");
  if (rest.length > 0) {
    throw new FlagError(`too many limit value arguments - ${limits}, can only have up to two, \`soft[:hard]\``);
  }
  const hard = second === undefined ? undefined : parseInteger(second, ...INT64);
  const soft = parseInteger(first, ...INT64);
  checkOrder(soft, hard ?? soft);
  return { Name: name, Hard: hard ?? soft, Soft: soft };
}

function checkOrder(soft: number, hard: number): void {
  if (hard === -1) return;
  const problem = "ulimit soft limit must be less than or equal to hard limit";
  if (soft === -1) throw new FlagError(`${problem}: soft: -1 (unlimited), hard: ${hard}`);
  if (soft > hard) throw new FlagError(`${problem}: ${soft} > ${hard}`);
}

/** A number of CPUs, maybe with a fraction, in billionths. The engine says which numbers there can be. */
export function parseCpus(value: string): number {
  if (/^-[\d.]/.test(value)) return -parseCpus(value.slice(1));
  const match = /^\+?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,2}))?$/.exec(value);
  const quotient = /^\+?(\d+)\/(\d+)$/.exec(value);
  if (quotient !== null && Number(quotient[2]) !== 0) {
    return exact((Number(quotient[1]) * 1e9) / Number(quotient[2]));
  }
  if (match === null || `${match[1] ?? ""}${match[2] ?? ""}` === "") {
    throw new FlagError(`failed to parse ${value} as a rational number`);
  }
  const shift = 9 + Number(match[3] ?? 0);
  const fraction = match[2] ?? "";
  if (fraction.replace(/0+$/, "").length > shift) throw new FlagError("value is too precise");
  const digits = `${match[1] ?? ""}${fraction.padEnd(shift, "0").slice(0, Math.max(shift, 0))}`;
  return Number(digits || "0");
}

function exact(nano: number): number {
  if (!Number.isInteger(nano)) throw new FlagError("value is too precise");
  return nano;
}

export interface DeviceLimit {
  readonly Path: string;
  readonly Rate?: number;
  readonly Weight?: number;
}

function splitDevice(value: string): readonly [path: string, amount: string] {
  const at = value.indexOf(":");
  if (at < 1) throw new FlagError(`bad format: ${value}`);
  const path = value.slice(0, at);
  if (!path.startsWith("/dev/")) throw new FlagError(`bad format for device path: ${value}`);
  return [path, value.slice(at + 1)];
}

function rate(value: string, unit: string, parse: (amount: string) => number): DeviceLimit {
  const [Path, amount] = splitDevice(value);
  try {
    return { Path, Rate: parse(amount) };
  } catch (error) {
    const form = unit === "" ? "<device-path>:<number>" : "<device-path>:<number>[<unit>]";
    throw new FlagError(
      `invalid rate for device: ${value}. The correct format is ${form}. Number must be a positive integer${unit}`,
      { cause: error },
    );
  }
}

/** `/dev/NAME:BYTES` a second. */
export function parseByteRate(value: string): DeviceLimit {
  return rate(value, ". Unit is optional and can be kb, mb, or gb", parseBytes);
}

/** `/dev/NAME:OPERATIONS` a second. */
export function parseOperationRate(value: string): DeviceLimit {
  return rate(value, "", (amount) => parseInteger(amount, 0n, 2n ** 64n - 1n));
}

/** `/dev/NAME:WEIGHT`. */
export function parseDeviceWeight(value: string): DeviceLimit {
  const [Path, amount] = splitDevice(value);
  const Weight = /^\d{1,5}$/.test(amount) ? Number(amount) : Number.NaN;
  if (Number.isNaN(Weight) || (Weight > 0 && (Weight < 10 || Weight > 1000))) {
    throw new FlagError(`invalid weight for device: ${value}`);
  }
  return { Path, Weight };
}
