import { isObject, type Json } from "@boxship/api";
import { InvalidArgument, tryParseDuration } from "@boxship/base";
import { DEMAND } from "./metrics.ts";
import { EXIT_CODE, RUNS_FOR, STARTS_AFTER } from "./simulated-kubelets.ts";

export const COUNT = "simulate.boxship/count";
export const AT = "simulate.boxship/at";
export const UNTIL = "simulate.boxship/until";

const OURS = "simulate.boxship/";
const MOST_OF_ONE = 100_000;

interface Rule {
  readonly of: "objects" | "pods";
  readonly fits: (text: string) => boolean;
  readonly words: string;
}

const isTime = (text: string): boolean => (tryParseDuration(text) ?? -1) >= 0;
const isAmount = (text: string): boolean => /^\d+(\.\d+)?$/.test(text);
const TIME = { fits: isTime, words: "no time, e.g. 90s or 1h" } as const;

const RULES: Readonly<Record<string, Rule>> = {
  [COUNT]: {
    of: "objects",
    fits: (text) => /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= MOST_OF_ONE,
    words: `no number from 1 to ${MOST_OF_ONE}`,
  },
  [AT]: { of: "objects", ...TIME },
  [UNTIL]: { of: "objects", ...TIME },
  [STARTS_AFTER]: { of: "pods", ...TIME },
  [RUNS_FOR]: { of: "pods", ...TIME },
  [EXIT_CODE]: {
    of: "pods",
    fits: (text) => /^\d+$/.test(text) && Number(text) <= 255,
    words: "no number from 0 to 255",
  },
  [DEMAND]: {
    of: "pods",
    fits: (text) =>
      text.split(",").every((part) => {
        const [first = "", second, ...more] = part.split(":");
        return second === undefined ? isAmount(first) : isTime(first) && isAmount(second) && more.length === 0;
      }),
    words: "no cores, e.g. 0.5 or 0.5,10m:2",
  },
};

/**
 * Every annotation for simulations that an object has, itself or in templates of pods, is one that is heeded there.
 *
 * @param at of the document, for errors
 * @throws InvalidArgument naming the annotation
 */
export function checkAnnotations(object: Json, at: string): void {
  const isPod = isObject(object) && object["kind"] === "Pod";
  check(object, isPod ? ["objects", "pods"] : ["objects"], at, new Set());
}

/**
 * @param what those annotations that count right here are of
 * @param seen what was looked at: YAML's aliases make one thing stand in many places, and in itself
 */
function check(value: Json, what: readonly Rule["of"][], at: string, seen: Set<object>): void {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  if (Array.isArray(value)) for (const one of value) check(one, [], at, seen);
  if (!isObject(value)) return;
  const metadata = value["metadata"];
  const annotations = isObject(metadata) ? (metadata["annotations"] ?? {}) : {};
  if (!isObject(annotations)) throw new InvalidArgument(`${at} of the scenario has annotations that are no map`);
  for (const [name, given] of Object.entries(annotations)) {
    if (name.startsWith(OURS)) checkOne(name, given, what, at);
  }
  for (const [name, one] of Object.entries(value)) {
    if (name !== "metadata") check(one as Json, name === "template" ? ["pods"] : [], at, seen);
  }
}

function checkOne(name: string, given: Json | undefined, what: readonly Rule["of"][], at: string): void {
  const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
  if (rule === undefined) {
    throw new InvalidArgument(`${at} of the scenario: there is no ${name}`, {
      remedy: `there are ${Object.keys(RULES).join(", ")}`,
    });
  }
  if (!what.includes(rule.of)) {
    const place = rule.of === "pods" ? "pods and their templates" : "objects themselves";
    throw new InvalidArgument(`${at} of the scenario: ${name} is for ${place}`);
  }
  if (typeof given !== "string" || !rule.fits(given)) {
    throw new InvalidArgument(`${at} of the scenario: ${name} ${JSON.stringify(given)} is ${rule.words}`);
  }
}
