import { compareDigits, compareText } from "@boxship/base";

/** In their order; what is not among them comes after the release. */
const QUALIFIERS: readonly string[] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const ALIASES: Readonly<Record<string, string>> = {
  a: "alpha",
  b: "beta",
  m: "milestone",
  cr: "rc",
  ga: "",
  final: "",
  release: "",
};

/** Versions of Maven artifacts, by the rules of its ComparableVersion, without nested lists. */
export function compareMaven(a: string, b: string): number {
  const [x, y] = [tokens(a), tokens(b)];
  for (let index = 0; index < Math.max(x.length, y.length); index++) {
    const difference = compareToken(x[index], y[index]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function tokens(version: string): readonly string[] {
  const parts = version.toLowerCase().match(/\d+|[a-z]+/g) ?? [];
  const normal = parts.map((part) => ALIASES[part] ?? part);
  while (normal.length > 0 && /^0*$/.test(normal.at(-1) ?? "")) normal.pop();
  return normal;
}

function compareToken(a: string | undefined, b: string | undefined): number {
  const [x, y] = [a ?? "", b ?? ""];
  const [numericX, numericY] = [/^\d/.test(x), /^\d/.test(y)];
  if (numericX && numericY) return compareDigits(x, y);
  if (numericX || numericY) return numericX ? against(x) : -against(y);
  const [rankX, rankY] = [rank(x), rank(y)];
  return Math.sign(rankX - rankY) || (rankX === QUALIFIERS.length ? compareText(x, y) : 0);
}

/** A number against a word or nothing: it is newer than both, unless it is zero. */
function against(digits: string): number {
  return /^0*$/.test(digits) ? 0 : 1;
}

function rank(word: string): number {
  const index = QUALIFIERS.indexOf(word);
  return index === -1 ? QUALIFIERS.length : index;
}
