/** Why something is not as it should be; what is behind it; what helps. */
export interface Cause {
  readonly says: string;
  readonly causes?: readonly Cause[];
  /** Commands that help, or what to do. */
  readonly help?: readonly string[];
}

/** The chain as people read it: each cause below what it causes. */
export function printCauses(causes: readonly Cause[], depth = 1): string {
  return causes
    .map(({ says, causes: behind = [], help = [] }) => {
      const indent = "  ".repeat(depth);
      const [first = "", ...more] = says.trim().split("\n");
      const lines = [first, ...more.map((line) => `  ${line}`), ...help.map((one) => `  → ${one}`)];
      return `${lines.map((line) => `${indent}${line}\n`).join("")}${printCauses(behind, depth + 1)}`;
    })
    .join("");
}
