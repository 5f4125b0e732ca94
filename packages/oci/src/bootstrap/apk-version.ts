import { compareDigits, compareText } from "@boxship/base";

const SUFFIXES: readonly string[] = ["alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"];

interface ApkVersion {
  readonly numbers: readonly string[];
  readonly letter: string;
  readonly suffixes: readonly (readonly [rank: number, number: string])[];
  readonly revision: string;
}

function parse(text: string): ApkVersion {
  const match = /^(\d+(?:\.\d+)*)([a-z]?)((?:_[a-z]+\d*)*)(?:~[0-9a-f]+)?(?:-r(\d+))?$/.exec(text.trim());
  if (match === null) return { numbers: [text.trim()], letter: "", suffixes: [], revision: "0" };
  const suffixes = [...(match[3] ?? "").matchAll(/_([a-z]+)(\d*)/g)].map(
    ([, word = "", number = ""]) => [SUFFIXES.indexOf(word), number || "0"] as const,
  );
  return { numbers: (match[1] ?? "0").split("."), letter: match[2] ?? "", suffixes, revision: match[4] ?? "0" };
}

/** Versions of Alpine packages (apk-package(5)). */
export function compareApk(a: string, b: string): number {
  const [x, y] = [parse(a), parse(b)];
  return (
    compareNumbers(x.numbers, y.numbers) ||
    compareText(x.letter, y.letter) ||
    compareSuffixes(x.suffixes, y.suffixes) ||
    compareDigits(x.revision, y.revision)
  );
}

function compareNumbers(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [x, y] = [a[index], b[index]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const numeric = /^\d+$/.test(x) && /^\d+$/.test(y);
    // A part with a leading zero is a fraction: 1.01 comes before 1.1.
    const fraction = index > 0 && (x.startsWith("0") || y.startsWith("0"));
    const difference = numeric && !fraction ? compareDigits(x, y) : compareText(x, y);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareSuffixes(a: ApkVersion["suffixes"], b: ApkVersion["suffixes"]): number {
  const none = [SUFFIXES.indexOf(""), "0"] as const;
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [x, y] = [a[index] ?? none, b[index] ?? none];
    const difference = Math.sign(x[0] - y[0]) || compareDigits(x[1], y[1]);
    if (difference !== 0) return difference;
  }
  return 0;
}
