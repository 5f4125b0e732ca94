import { isBeyond } from "./node-selector.ts";

export interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
}

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

/** `Toleration.ToleratesTaint` of the API: an empty key with `Exists` tolerates all, an empty effect every one. */
export function tolerates(
  { key = "", operator = "Equal", value = "", effect = "" }: Toleration,
  taint: Taint,
): boolean {
  if (effect !== "" && effect !== taint.effect) return false;
  if (key !== "" && key !== taint.key) return false;
  switch (operator) {
    case "Exists":
      return true;
    case "Lt":
      return isBeyond(taint.value, value, "below");
    case "Gt":
      return isBeyond(taint.value, value, "above");
    default:
      return key !== "" && value === (taint.value ?? "");
  }
}

/** The first taint, of these effects, that nothing tolerates. */
export function findUntolerated<One extends Taint>(
  taints: readonly One[],
  tolerations: readonly Toleration[],
  effects: readonly string[],
): One | undefined {
  return taints.find(
    (taint) => effects.includes(taint.effect) && !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
}
