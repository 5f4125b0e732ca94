import { compareDigits, compareText } from "@boxship/base";

/** Versions of npm packages and Go modules (semver.org 2.0.0); `v` before and parts left out are taken as usual. */
export function compareSemver(a: string, b: string): number {
  const [x, y] = [parse(a), parse(b)];
  for (let index = 0; index < Math.max(x.numbers.length, y.numbers.length); index++) {
    const difference = compareDigits(x.numbers[index] ?? "0", y.numbers[index] ?? "0");
    if (difference !== 0) return difference;
  }
  return comparePre(x.pre, y.pre);
}

function parse(text: string): { readonly numbers: readonly string[]; readonly pre: readonly string[] } {
  const bare =
    text
      .trim()
      .replace(/^[v=]+/, "")
      .split("+")[0] ?? "";
  // Go's own versions have no dash: 1.22rc1.
  const match = /^(\d+(?:\.\d+)*)(?:-?(.*))$/.exec(bare);
  if (match === null) return { numbers: ["0"], pre: bare === "" ? [] : [bare] };
  const pre = match[2] ?? "";
  return { numbers: (match[1] ?? "0").split("."), pre: pre === "" ? [] : pre.split(".") };
}

function comparePre(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return Math.sign(b.length - a.length);
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [x, y] = [a[index], b[index]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const [numericX, numericY] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    if (numericX !== numericY) return numericX ? -1 : 1;
    const difference = numericX ? compareDigits(x, y) : compareText(x, y);
    if (difference !== 0) return difference;
  }
  return 0;
}
