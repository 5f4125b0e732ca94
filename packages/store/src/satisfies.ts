import type { Compare } from "./contract.ts";

/** Whether a condition holds of two values, by how the first differs from the second. */
export function satisfies(difference: number, is: Compare["is"] = "equal"): boolean {
  switch (is) {
    case "equal":
      return difference === 0;
    case "not-equal":
      return difference !== 0;
    case "less":
      return difference < 0;
    case "greater":
      return difference > 0;
  }
}
