import { InvalidArgument } from "@boxship/base/errors";
import { boolYaml11Tag, CORE_SCHEMA, defineScalarTag, load, mergeTag, NOT_RESOLVED, nullCoreTag } from "js-yaml";
import { toInteger } from "../object/big-integer.ts";
import type { Json } from "../object/json.ts";

/** Values that aliases may add up to. */
const MOST_VALUES = 500_000;
const DEEPEST = 1000;

/** Go's integers: octal by a leading zero or `0o`, underscores; what 64 bits cannot hold is a float. */
const integerTag = defineScalarTag<number>("tag:yaml.org,2002:int", {
  implicit: true,
  implicitFirstChars: Array.from("+-0123456789"),
  resolve(source) {
    const plain = source.replaceAll("_", "");
    const found = /^([-+]?)(0[xX][\da-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]+|[1-9]\d*|0)$/.exec(plain);
    if (found === null) return NOT_RESOLVED;
    const digits = found[2] ?? "";
    const whole = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits.toLowerCase());
    return toInteger(found[1] === "-" ? -whole : whole) as number;
  },
  identify: () => false,
});

const floatTag = defineScalarTag<number>("tag:yaml.org,2002:float", {
  implicit: true,
  implicitFirstChars: Array.from("+-.0123456789"),
  resolve(source) {
    if (/^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(source)) return Number(source);
    if (/^\+?\.(inf|Inf|INF)$/.test(source)) return Number.POSITIVE_INFINITY;
    if (/^-\.(inf|Inf|INF)$/.test(source)) return Number.NEGATIVE_INFINITY;
    return /^\.(nan|NaN|NAN)$/.test(source) ? Number.NaN : NOT_RESOLVED;
  },
  identify: () => false,
});

const SCHEMA = CORE_SCHEMA.withTags(nullCoreTag, boolYaml11Tag, integerTag, floatTag, mergeTag);

export interface LoadYamlOptions {
  /** What is read, for messages. */
  readonly name?: string;
  /** Whether a key that stands twice is an error; otherwise the last one holds. @default false */
  readonly unique?: boolean;
}

/**
 * One document of YAML 1.1 as Kubernetes' tools read it: `yes` is true, `0755` is 493, `<<` merges; times are text.
 *
 * @throws InvalidArgument with the line, for what is no YAML, and for aliases that multiply
 */
export function loadYaml(text: string, { name, unique = false }: LoadYamlOptions = {}): Json {
  let value: Json;
  try {
    value = (load(text, { schema: SCHEMA, json: !unique, maxDepth: DEEPEST }) ?? null) as Json;
  } catch (error) {
    if (isEmpty(text)) return null;
    throw new InvalidArgument(`${name === undefined ? "" : `${name}: `}yaml: ${reasonOf(error)}`, { cause: error });
  }
  checkSize(value);
  return value;
}

const isEmpty = (text: string): boolean => !/\S/.test(text.replace(/^\s*#.*$/gm, "").replace(/^(---|\.\.\.)/gm, ""));

function reasonOf(error: unknown): string {
  const { mark, message = "" } = error as { readonly mark?: { readonly line: number }; readonly message?: string };
  const reason = message.split("\n")[0]?.replace(/ \(\d+:\d+\)$/, "") ?? "";
  return mark === undefined ? reason : `line ${mark.line + 1}: ${reason}`;
}

function checkSize(value: Json): void {
  let seen = 0;
  const walk = (one: Json | undefined, depth: number): void => {
    if (++seen > MOST_VALUES || depth > DEEPEST) {
      throw new InvalidArgument("yaml: document contains excessive aliasing");
    }
    if (typeof one !== "object" || one === null) return;
    for (const item of Object.values(one)) walk(item, depth + 1);
  };
  walk(value, 0);
}

/** The documents of a text, each still text; what has neither value nor comment is left out. */
export function splitYaml(text: string): readonly string[] {
  return text.split(/^---(?:[ \t]+#.*|[ \t]*)$\n?|^---(?=[ \t]+\S)/m).filter((part) => /\S/.test(part));
}
