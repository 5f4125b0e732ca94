import { type Json, toInteger } from "@boxship/api";

/** What a scalar without quotes is. */
export interface Resolved {
  readonly tag: string;
  readonly value: Json;
}

const NULLS = new Set(["", "~", "null", "Null", "NULL"]);
const TRUE = new Set(["true", "True", "TRUE"]);
const FALSE = new Set(["false", "False", "FALSE"]);
const TRUE_11 = new Set(["y", "Y", "yes", "Yes", "YES", "on", "On", "ON"]);
const FALSE_11 = new Set(["n", "N", "no", "No", "NO", "off", "Off", "OFF"]);
const NOT_FINITE: ReadonlyMap<string, number> = new Map([
  [".nan", Number.NaN],
  [".inf", Number.POSITIVE_INFINITY],
  ["+.inf", Number.POSITIVE_INFINITY],
  ["-.inf", Number.NEGATIVE_INFINITY],
]);
const FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/;
const INTEGER = /^([-+]?)(0[xX][\da-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9]\d*)$/;
const TIME = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:([Tt ])(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?(Z|[-+]\d\d:\d\d)?)?$/;

/** By the rules of YAML 1.2 with what remains of 1.1: octal numbers that begin with a zero, underscores, dates. */
export function resolveScalar(text: string): Resolved {
  if (NULLS.has(text)) return { tag: "!!null", value: null };
  if (TRUE.has(text)) return { tag: "!!bool", value: true };
  if (FALSE.has(text)) return { tag: "!!bool", value: false };
  if (text === "<<") return { tag: "!!merge", value: text };
  const first = text.charCodeAt(0);
  // Digits, signs and dots: nothing else begins a number or a date.
  if (!((first >= 0x30 && first <= 0x39) || first === 0x2b || first === 0x2d || first === 0x2e)) return string(text);
  const special = NOT_FINITE.get(text.toLowerCase());
  if (special !== undefined && /^[-+]?\.(nan|NaN|NAN|inf|Inf|INF)$/.test(text))
    return { tag: "!!float", value: special };
  return resolveTime(text) ?? resolveNumber(text) ?? string(text);
}

/** By the rules of YAML 1.1, where `yes` and `off` are booleans and a date is text. */
export function resolveScalar11(text: string): Resolved {
  if (TRUE_11.has(text)) return { tag: "!!bool", value: true };
  if (FALSE_11.has(text)) return { tag: "!!bool", value: false };
  const resolved = resolveScalar(text);
  if (resolved.tag === "!!timestamp") return string(text);
  return /^[-+]?0[oO]/.test(text) ? string(text) : resolved;
}

/** Whether a reader of YAML 1.1 would take the text for something else than text. */
export function isNonString(text: string): boolean {
  if (text === "" || text.includes("\n")) return false;
  return resolveScalar11(text).tag !== "!!str" || text === "<<";
}

const string = (text: string): Resolved => ({ tag: "!!str", value: text });

function resolveNumber(text: string): Resolved | undefined {
  const plain = text.replaceAll("_", "");
  const match = text.startsWith(".") ? null : INTEGER.exec(plain);
  if (match !== null) {
    const [, sign, digits = ""] = match;
    const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
    return { tag: "!!int", value: toInteger(sign === "-" ? -value : value) };
  }
  return FLOAT.test(plain) && !(text.startsWith(".") && text.includes("_"))
    ? { tag: "!!float", value: Number(plain) }
    : undefined;
}

function resolveTime(text: string): Resolved | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, mark, hour = "0", minute = "0", second = "0", fraction = "", zone] = match;
  if (mark !== undefined && (mark === " ") !== (zone === undefined)) return undefined;
  const last = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  const inRange = Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= last;
  if (!inRange || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const two = (part: string | undefined): string => (part ?? "").padStart(2, "0");
  const rest = fraction.replace(/0+$/, "");
  const clock = `${two(hour)}:${two(minute)}:${two(second)}${rest === "" ? "" : `.${rest}`}`;
  const offset = zone === undefined || /^[-+]00:00$/.test(zone) ? "Z" : zone;
  return { tag: "!!timestamp", value: `${year}-${two(month)}-${two(day)}T${clock}${offset}` };
}
