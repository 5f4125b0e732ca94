import { parseQuantity, quantityNumber } from "@boxship/api";
import { InvalidArgument, parseDuration } from "@boxship/base";
import {
  type Bound,
  DEFAULT_THRESHOLDS,
  type EvictionSettings,
  SIGNALS,
  type Signal,
  type Threshold,
} from "./thresholds.ts";

/** Flags by the kubelet's names; empty or absent is not given. */
export interface EvictionFlags {
  /** `signal<quantity|percentage,…` Given, it stands for all of the usual ones. */
  readonly "eviction-hard"?: string | undefined;
  readonly "eviction-soft"?: string | undefined;
  /** `signal=duration,…` */
  readonly "eviction-soft-grace-period"?: string | undefined;
  /** `signal=quantity|percentage,…` */
  readonly "eviction-minimum-reclaim"?: string | undefined;
  readonly "eviction-pressure-transition-period"?: string | undefined;
  /** Seconds. */
  readonly "eviction-max-pod-grace-period"?: string | undefined;
}

export type EvictionFlag = keyof EvictionFlags;

export const EVICTION_FLAGS: readonly EvictionFlag[] = [
  "eviction-hard",
  "eviction-soft",
  "eviction-soft-grace-period",
  "eviction-minimum-reclaim",
  "eviction-pressure-transition-period",
  "eviction-max-pod-grace-period",
];

/** Known to kubelets; nothing here measures them. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  "allocatableMemory.available",
  "containerfs.available",
  "containerfs.inodesFree",
]);

/** @returns undefined where no flag is given @throws InvalidArgument naming the flag, with the kubelet's words */
export function parseEviction(flags: EvictionFlags): EvictionSettings | undefined {
  const given = EVICTION_FLAGS.filter((flag) => flags[flag] !== undefined && flags[flag] !== "");
  if (given.length === 0) return undefined;
  const read = <Value>(flag: EvictionFlag, separator: "<" | "=", parse: (signal: Signal, text: string) => Value) =>
    naming(flag, () => parsePairs(flags[flag] ?? "", separator, parse));
  const hard = read("eviction-hard", "<", threshold);
  const soft = read("eviction-soft", "<", threshold);
  const graces = read("eviction-soft-grace-period", "=", gracePeriod);
  const reclaims = read("eviction-minimum-reclaim", "=", minimumReclaim);
  const withReclaim = (signal: Signal) => {
    const reclaim = reclaims.get(signal);
    return reclaim === undefined ? {} : { reclaim };
  };
  const thresholds: Threshold[] = given.includes("eviction-hard")
    ? [...hard].flatMap(([signal, bound]) => (bound === undefined ? [] : [{ signal, bound, ...withReclaim(signal) }]))
    : DEFAULT_THRESHOLDS.map((one) => ({ ...one, ...withReclaim(one.signal) }));
  for (const [signal, bound] of soft) {
    if (bound === undefined) continue;
    const graceMs = graces.get(signal);
    if (graceMs === undefined) {
      return naming("eviction-soft", () =>
        refuse(`grace period must be specified for the soft eviction threshold ${signal}`),
      );
    }
    thresholds.push({ signal, bound, graceMs, ...withReclaim(signal) });
  }
  const transition = flags["eviction-pressure-transition-period"] ?? "";
  const most = flags["eviction-max-pod-grace-period"] ?? "";
  return {
    thresholds,
    ...(transition === ""
      ? {}
      : { transitionMs: naming("eviction-pressure-transition-period", () => durationOf(transition)) }),
    ...(most === "" ? {} : { mostGraceSeconds: naming("eviction-max-pod-grace-period", () => wholeSeconds(most)) }),
  };
}

function refuse(message: string): never {
  throw new InvalidArgument(message);
}

function naming<Value>(flag: EvictionFlag, parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof InvalidArgument)) throw error;
    throw new InvalidArgument(`--${flag}: ${error.message}`, { subject: { kind: "option", name: `--${flag}` } });
  }
}

function parsePairs<Value>(
  text: string,
  separator: "<" | "=",
  parse: (signal: Signal, text: string) => Value,
): ReadonlyMap<Signal, Value> {
  const pairs = text.split(",").filter((pair) => pair !== "");
  return new Map(
    pairs.map((pair) => {
      const at = pair.indexOf(separator);
      if (at === -1) refuse(`malformed pair, expect string${separator}string`);
      const signal = pair.slice(0, at).trim();
      if (ELSEWHERE.has(signal)) refuse(`eviction signal ${signal} is not measured here`);
      if (!isSignal(signal)) refuse(`unsupported eviction signal ${signal}`);
      return [signal, parse(signal, pair.slice(at + 1).trim())];
    }),
  );
}

const isSignal = (text: string): text is Signal => Object.hasOwn(SIGNALS, text);

/** Undefined for what never is too little. */
function threshold(signal: Signal, text: string): Bound | undefined {
  if (text === "0%" || text === "100%") return undefined;
  if (text.endsWith("%")) {
    const part = percentage(text);
    if (part < 0) refuse(`eviction percentage threshold ${signal} must be >= 0%: ${text}`);
    if (part > 1) refuse(`eviction percentage threshold ${signal} must be <= 100%: ${text}`);
    return { part };
  }
  const amount = quantity(text);
  if (amount <= 0) refuse(`eviction threshold ${signal} must be positive: ${text}`);
  return { amount };
}

function minimumReclaim(signal: Signal, text: string): Bound {
  if (text.endsWith("%")) {
    const part = percentage(text);
    if (part <= 0) refuse(`eviction percentage minimum reclaim ${signal} must be positive: ${text}`);
    return { part };
  }
  const amount = quantity(text);
  if (amount < 0) refuse(`negative eviction minimum reclaim specified for ${signal}`);
  return { amount };
}

function gracePeriod(_signal: Signal, text: string): number {
  const period = durationOf(text);
  if (period < 0) refuse(`invalid eviction grace period specified: ${text}, must be a positive value`);
  return period;
}

function percentage(text: string): number {
  const number = text.slice(0, -1);
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(number)) {
    refuse(`strconv.ParseFloat: parsing ${JSON.stringify(number)}: invalid syntax`);
  }
  return Number(number) / 100;
}

function quantity(text: string): number {
  const parsed = parseQuantity(text);
  if (parsed !== undefined) return quantityNumber(parsed);
  return refuse("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

/** Milliseconds. */
function durationOf(text: string): number {
  return parseDuration(text) / 1e6;
}

function wholeSeconds(text: string): number {
  const seconds = Number(text);
  if (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(seconds) && seconds >= 0) return seconds;
  return refuse(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
}
