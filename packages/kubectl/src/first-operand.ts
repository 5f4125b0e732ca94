import { globalFlags } from "./global-flags.ts";

/** Where the first word stands that is no flag and no flag's value; below 0 for nowhere. */
export function firstOperand(words: readonly string[]): number {
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") return -1;
    if (!word.startsWith("-") || word === "-") return at;
    const name = word.startsWith("--") ? word.slice(2) : word.slice(1);
    const flag = Object.entries(globalFlags).find(([long, one]) => long === name || one.short === name)?.[1];
    if (flag !== undefined && flag.bare === undefined) at++;
    else if (flag === undefined && !word.includes("=") && ["-f", "--filename", "-o", "--output"].includes(word)) at++;
  }
  return -1;
}
