import type {
  LabelSelector,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  Taint,
  Toleration,
} from "./types.ts";

export type Labels = Readonly<Record<string, string>>;

const own = (labels: Labels, key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);

/** A label selector that is asked often. */
export interface CompiledSelector {
  readonly matches: (labels: Labels) => boolean;
  /** Equal for equal selectors. */
  readonly text: string;
  /** A label that all it selects have: by it, what may match is found without trying everything. */
  readonly pivot?: readonly [string, string];
}

type Condition = (labels: Labels) => boolean;

const NOTHING: CompiledSelector = { matches: () => false, text: "nothing" };

/** @param more labels that what is selected has besides, from `matchLabelKeys` */
export function compileSelector(
  selector: LabelSelector | undefined,
  more: { readonly equal?: Labels; readonly unequal?: Labels } = {},
): CompiledSelector {
  if (selector === undefined) return NOTHING;
  const equal = Object.entries({ ...selector.matchLabels, ...more.equal }).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = [
    ...(selector.matchExpressions ?? []),
    ...Object.entries(more.unequal ?? {}).map(([key, value]) => ({ key, operator: "NotIn" as const, values: [value] })),
  ];
  const conditions: Condition[] = [
    ...equal.map(
      ([key, value]): Condition =>
        (labels) =>
          own(labels, key) === value,
    ),
    ...expressions.map(({ key, operator, values = [] }) => compileRequirement(key, operator, values)),
  ];
  const [pivot] = equal;
  return {
    matches: (labels) => conditions.every((condition) => condition(labels)),
    text: JSON.stringify([equal, expressions]),
    ...(pivot === undefined ? {} : { pivot }),
  };
}

function compileRequirement(
  key: string,
  operator: NodeSelectorRequirement["operator"],
  values: readonly string[],
): Condition {
  const wanted = new Set(values);
  const bound = integer(values[0]);
  switch (operator) {
    case "In":
      return (labels) => wanted.has(own(labels, key) ?? "") && Object.hasOwn(labels, key);
    case "NotIn":
      return (labels) => !Object.hasOwn(labels, key) || !wanted.has(own(labels, key) ?? "");
    case "Exists":
      return (labels) => Object.hasOwn(labels, key);
    case "DoesNotExist":
      return (labels) => !Object.hasOwn(labels, key);
    case "Gt":
      return (labels) => compareIntegers(own(labels, key), bound, (value, limit) => value > limit);
    case "Lt":
      return (labels) => compareIntegers(own(labels, key), bound, (value, limit) => value < limit);
  }
}

const integer = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^[+-]?\d+$/.test(text) ? BigInt(text.replace(/^\+/, "")) : undefined;

function compareIntegers(
  text: string | undefined,
  bound: bigint | undefined,
  compare: (value: bigint, limit: bigint) => boolean,
): boolean {
  const value = integer(text);
  return value !== undefined && bound !== undefined && compare(value, bound);
}

/** A node as selectors see it. */
export interface Selectable {
  readonly name: string;
  readonly labels: Labels;
}

export type NodeMatch = (node: Selectable) => boolean;

/** One term: all of its requirements. One without any matches no node. */
export function compileNodeTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm): NodeMatch {
  if (matchExpressions.length + matchFields.length === 0) return () => false;
  const conditions = matchExpressions.map(({ key, operator, values = [] }) =>
    compileRequirement(key, operator, values),
  );
  const fields = matchFields.map(({ key, operator, values = [] }) => compileRequirement(key, operator, values));
  return ({ name, labels }) =>
    conditions.every((condition) => condition(labels)) &&
    fields.every((condition) => condition({ "metadata.name": name }));
}

/** Any of its terms. */
export function compileNodeSelector({ nodeSelectorTerms }: NodeSelector): NodeMatch {
  const terms = nodeSelectorTerms.map(compileNodeTerm);
  return (node) => terms.some((term) => term(node));
}

/** `Toleration.ToleratesTaint` of the API: an empty key with `Exists` tolerates all, an empty effect every one. */
export function tolerates(
  { key = "", operator = "Equal", value = "", effect = "" }: Toleration,
  taint: Taint,
): boolean {
  if (effect !== "" && effect !== taint.effect) return false;
  if (key !== "" && key !== taint.key) return false;
  const [has, limit] = [integer(taint.value), integer(value)];
  switch (operator) {
    case "Exists":
      return true;
    case "Equal":
      return key !== "" && value === (taint.value ?? "");
    case "Lt":
      return has !== undefined && limit !== undefined && has < limit;
    case "Gt":
      return has !== undefined && limit !== undefined && has > limit;
  }
}

/** The first taint of these effects that nothing tolerates. */
export function findUntolerated(
  taints: readonly Taint[],
  tolerations: readonly Toleration[],
  effects: readonly Taint["effect"][],
): Taint | undefined {
  return taints.find(
    (taint) => effects.includes(taint.effect) && !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
}
