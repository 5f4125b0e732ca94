import { compareDigits, compareText } from "@boxship/base";

function parse(text: string): readonly [epoch: string, version: string, release: string | undefined] {
  const colon = text.indexOf(":");
  const rest = text.slice(colon + 1);
  const dash = rest.lastIndexOf("-");
  const epoch = colon === -1 ? "0" : text.slice(0, colon);
  return dash === -1 ? [epoch, rest, undefined] : [epoch, rest.slice(0, dash), rest.slice(dash + 1)];
}

/** Versions of rpm packages: `epoch:version-release` (rpm-version(7)). */
export function compareRpm(a: string, b: string): number {
  const [x, y] = [parse(a), parse(b)];
  const difference = compareDigits(x[0], y[0]) || compareSegments(x[1], y[1]);
  if (difference !== 0 || x[2] === undefined || y[2] === undefined) return difference;
  return compareSegments(x[2], y[2]);
}

/** rpm's own comparison: segments of digits or letters, `~` before everything, `^` after the end. */
export function compareSegments(a: string, b: string): number {
  if (a === b) return 0;
  let [x, y] = [a, b];
  while (x !== "" || y !== "") {
    [x, y] = [x, y].map((text) => text.replace(/^[^A-Za-z0-9~^]+/, "")) as [string, string];
    for (const [mark, present] of [
      ["~", -1],
      ["^", 1],
    ] as const) {
      const [inX, inY] = [x.startsWith(mark), y.startsWith(mark)];
      if (inX && inY) return compareSegments(x.slice(1), y.slice(1));
      // A caret sorts after the end, but before anything that goes on.
      if (inX) return mark === "^" && y !== "" ? -1 : present;
      if (inY) return mark === "^" && x !== "" ? 1 : -present;
    }
    if (x === "" || y === "") break;
    const numeric = /^\d/.test(x);
    const pattern = numeric ? /^\d+/ : /^[A-Za-z]+/;
    const [left, right] = [pattern.exec(x)?.[0] ?? "", pattern.exec(y)?.[0] ?? ""];
    // Digits are newer than letters.
    if (right === "") return numeric ? 1 : -1;
    const difference = numeric ? compareDigits(left, right) : compareText(left, right);
    if (difference !== 0) return difference;
    [x, y] = [x.slice(left.length), y.slice(right.length)];
  }
  return x === y ? 0 : x === "" ? -1 : 1;
}
