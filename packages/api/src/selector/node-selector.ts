import type { Labels } from "./label-selector.ts";

export interface NodeSelectorRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
  readonly values?: readonly string[];
}

export interface NodeSelectorTerm {
  readonly matchExpressions?: readonly NodeSelectorRequirement[];
  readonly matchFields?: readonly NodeSelectorRequirement[];
}

export interface NodeSelector {
  readonly nodeSelectorTerms: readonly NodeSelectorTerm[];
}

/** A node as selectors see it. */
export interface Selectable {
  readonly name: string;
  readonly labels: Labels;
}

export type NodeMatch = (node: Selectable) => boolean;

/** What a pod says of its node by labels. */
export interface NodeWishes {
  readonly nodeSelector?: Labels;
  readonly affinity?: {
    readonly nodeAffinity?: { readonly requiredDuringSchedulingIgnoredDuringExecution?: NodeSelector };
  };
}

/** Node selector and required node affinity, both; undefined where any node will do. */
export function compileNodeWishes({ nodeSelector = {}, affinity }: NodeWishes): NodeMatch | undefined {
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const affine = required === undefined ? undefined : compileNodeSelector(required);
  const wanted = Object.entries(nodeSelector);
  if (wanted.length === 0) return affine;
  return (node) => wanted.every(([key, value]) => own(node.labels, key) === value) && (affine?.(node) ?? true);
}

/** Any of its terms. */
export function compileNodeSelector({ nodeSelectorTerms }: NodeSelector): NodeMatch {
  const terms = nodeSelectorTerms.map(compileNodeTerm);
  return (node) => terms.some((term) => term(node));
}

/** One term: all of its requirements. One without any matches no node. */
export function compileNodeTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm): NodeMatch {
  if (matchExpressions.length + matchFields.length === 0) return () => false;
  const expressions = matchExpressions.map(compileRequirement);
  const fields = matchFields.map(compileRequirement);
  return ({ name, labels }) =>
    expressions.every((holds) => holds(labels)) && fields.every((holds) => holds({ "metadata.name": name }));
}

const own = (labels: Labels, key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);

function compileRequirement({ key, operator, values = [] }: NodeSelectorRequirement): (labels: Labels) => boolean {
  const wanted = new Set(values);
  switch (operator) {
    case "In":
      return (labels) => Object.hasOwn(labels, key) && wanted.has(labels[key] ?? "");
    case "NotIn":
      return (labels) => !Object.hasOwn(labels, key) || !wanted.has(labels[key] ?? "");
    case "Exists":
      return (labels) => Object.hasOwn(labels, key);
    case "DoesNotExist":
      return (labels) => !Object.hasOwn(labels, key);
    case "Gt":
      return (labels) => isBeyond(own(labels, key), values[0], "above");
    case "Lt":
      return (labels) => isBeyond(own(labels, key), values[0], "below");
  }
}

const integerOf = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^[+-]?\d+$/.test(text) ? BigInt(text.replace(/^\+/, "")) : undefined;

/** Compares whole numbers as labels and taints have them; what is none is never beyond anything. */
export function isBeyond(text: string | undefined, limitText: string | undefined, side: "above" | "below"): boolean {
  const [value, limit] = [integerOf(text), integerOf(limitText)];
  if (value === undefined || limit === undefined) return false;
  return side === "above" ? value > limit : value < limit;
}
