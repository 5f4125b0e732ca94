import { compareDigits, compareText } from "@boxship/base";

/** A semantic version (semver.org 2.0.0). */
export interface Version {
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  /** Without the dash; empty for releases. */
  readonly prerelease: string;
  /** Build metadata without the plus. */
  readonly metadata: string;
  /** As it was written. */
  readonly original: string;
}

const SHAPE =
  /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*))?(?:\+([\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*))?$/;

const MOST = 2n ** 64n;

/** Reads a version; a `v` before it and parts that are left out are taken. Undefined for what is none. */
export function parseVersion(text: string): Version | undefined {
  const found = SHAPE.exec(text);
  if (found === null) return undefined;
  const [, major = "0", minor = "0", patch = "0", prerelease = "", metadata = ""] = found;
  if (prerelease.split(".").some((part) => /^0\d+$/.test(part))) return undefined;
  const numbers = [BigInt(major), BigInt(minor), BigInt(patch)] as const;
  if (numbers.some((number) => number >= MOST)) return undefined;
  return { major: numbers[0], minor: numbers[1], patch: numbers[2], prerelease, metadata, original: text };
}

/** A version that names all three numbers, without a `v`: what a chart must have. */
export const isStrictVersion = (text: string): boolean =>
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-|\+|$)/.test(text) && parseVersion(text) !== undefined;

export function versionText({ major, minor, patch, prerelease, metadata }: Omit<Version, "original">): string {
  const tail = (sign: string, text: string): string => (text === "" ? "" : sign + text);
  return `${major}.${minor}.${patch}${tail("-", prerelease)}${tail("+", metadata)}`;
}

/** -1, 0 or 1; build metadata does not count. */
export function compareVersions(a: Version, b: Version): number {
  for (const part of ["major", "minor", "patch"] as const) {
    if (a[part] !== b[part]) return a[part] < b[part] ? -1 : 1;
  }
  return comparePrereleases(a.prerelease, b.prerelease);
}

/** A release is above everything that comes before it. */
export function comparePrereleases(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "" || b === "") return a === "" ? 1 : -1;
  const [left, right] = [a.split("."), b.split(".")];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [one, other] = [left[at], right[at]];
    if (one === undefined || other === undefined) return one === undefined ? -1 : 1;
    const [isNumber, isOtherNumber] = [/^\d+$/.test(one), /^\d+$/.test(other)];
    if (isNumber !== isOtherNumber) return isNumber ? -1 : 1;
    const difference = isNumber ? compareDigits(one, other) : compareText(one, other);
    if (difference !== 0) return difference;
  }
  return 0;
}
