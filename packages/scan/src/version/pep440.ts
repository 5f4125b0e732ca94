import { compareDigits, compareText } from "@boxship/base";

const PATTERN =
  /^\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|alpha|b|beta|c|rc|pre|preview)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$/i;
const PRE: Readonly<Record<string, number>> = { a: 0, alpha: 0, b: 1, beta: 1, c: 2, rc: 2, pre: 2, preview: 2 };

interface Pep440 {
  readonly epoch: string;
  readonly release: readonly string[];
  /** Kind and number; a release without any comes after all of them. */
  readonly pre: readonly [number, string];
  /** -1 without one. */
  readonly post: string;
  /** Infinity, as text, without one. */
  readonly dev: string | undefined;
  readonly local: readonly string[];
}

const AFTER_ALL = 9;
const BEFORE_ALL = -1;

function parse(text: string): Pep440 | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, epoch = "0", release = "0", pre, preNumber, post, postWord, postNumber, dev, devNumber, local] = match;
  const isPost = post !== undefined || postWord !== undefined;
  const preKind =
    pre === undefined ? (dev !== undefined && !isPost ? BEFORE_ALL : AFTER_ALL) : (PRE[pre.toLowerCase()] ?? 2);
  return {
    epoch,
    release: release.replace(/(?:\.0+)+$/, "").split("."),
    pre: [preKind, preNumber || "0"],
    post: isPost ? String(BigInt(post ?? (postNumber || "0")) + 1n) : "0",
    dev: dev === undefined ? undefined : devNumber || "0",
    local: local === undefined ? [] : local.toLowerCase().split(/[-_.]/),
  };
}

/** Versions of Python packages (PEP 440). What is none comes before what is one. */
export function comparePep440(a: string, b: string): number {
  const [x, y] = [parse(a), parse(b)];
  if (x === undefined || y === undefined) return x === y ? compareText(a, b) : x === undefined ? -1 : 1;
  return (
    compareDigits(x.epoch, y.epoch) ||
    compareRelease(x.release, y.release) ||
    Math.sign(x.pre[0] - y.pre[0]) ||
    compareDigits(x.pre[1], y.pre[1]) ||
    compareDigits(x.post, y.post) ||
    compareDev(x.dev, y.dev) ||
    compareLocal(x.local, y.local)
  );
}

function compareRelease(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = compareDigits(a[index] ?? "0", b[index] ?? "0");
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareDev(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? 1 : -1;
  return compareDigits(a, b);
}

function compareLocal(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [x, y] = [a[index], b[index]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const [numericX, numericY] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    if (numericX !== numericY) return numericX ? 1 : -1;
    const difference = numericX ? compareDigits(x, y) : compareText(x, y);
    if (difference !== 0) return difference;
  }
  return 0;
}
