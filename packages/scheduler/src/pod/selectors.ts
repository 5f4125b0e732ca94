import { type LabelSelectorObject, type Labels, matchesLabels, selectorOf } from "@boxship/api";

/** A label selector that is asked often. */
export interface CompiledSelector {
  readonly matches: (labels: Labels) => boolean;
  /** Equal for equal selectors. */
  readonly text: string;
  /** A label that all it selects have: by it, what may match is found without trying everything. */
  readonly pivot?: readonly [string, string];
}

/** @param more labels that what is selected has besides, from `matchLabelKeys` */
export function compileSelector(
  selector: LabelSelectorObject | undefined,
  more: { readonly equal?: Labels; readonly unequal?: Labels } = {},
): CompiledSelector {
  if (selector === undefined) return { matches: () => false, text: "nothing" };
  const equal = Object.entries({ ...selector.matchLabels, ...more.equal }).sort(([a], [b]) => (a < b ? -1 : 1));
  const matchExpressions = [
    ...(selector.matchExpressions ?? []),
    ...Object.entries(more.unequal ?? {}).map(([key, value]) => ({ key, operator: "NotIn", values: [value] })),
  ];
  const requirements = selectorOf({ matchLabels: Object.fromEntries(equal), matchExpressions }) ?? [];
  const [pivot] = equal;
  return {
    matches: (labels) => matchesLabels(requirements, labels),
    text: JSON.stringify([equal, matchExpressions]),
    ...(pivot === undefined ? {} : { pivot }),
  };
}
