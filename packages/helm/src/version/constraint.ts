import { InvalidArgument } from "@boxship/base/errors";
import { comparePrereleases, compareVersions, parseVersion, type Version } from "./version.ts";

/** One comparison: `>= 1.2`, `~1.2.3`, `^1`, `1.x`. */
interface Comparison {
  readonly operator: string;
  readonly version: Version;
  /** Which parts were left out or written as `x` or `*`. */
  readonly anyMajor: boolean;
  readonly anyMinor: boolean;
  readonly anyPatch: boolean;
}

/** Which versions will do. */
export interface Constraint {
  allows(version: Version): boolean;
}

const PART = String.raw`[0-9|xX*]+`;
const VERSION = String.raw`v?(${PART})(\.${PART})?(\.${PART})?(-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?`;
const OPERATOR = String.raw`(?:=>|=<|!=|>=|<=|~>|=|>|<|~|\^)?`;
const ONE = new RegExp(String.raw`^\s*(${OPERATOR})\s*${VERSION}\s*$`);
const EACH = new RegExp(String.raw`(${OPERATOR})\s*${VERSION}`, "g");
const SEPARATED = new RegExp(String.raw`^\s*${OPERATOR}\s*${VERSION}\s*(?:(?:\s+|,\s*)${OPERATOR}\s*${VERSION}\s*)*$`);
const RANGE = new RegExp(String.raw`\s*(${VERSION})\s+-\s+(${VERSION})\s*`, "g");
/** Longer texts are no constraints, and would take long to find out about. */
const LONGEST = 1000;

/**
 * Reads a constraint: comparisons with `,` or a space between them hold together, `||` is or, `1.2 - 1.4` a range.
 *
 * @throws InvalidArgument `improper constraint: …`
 */
export function parseConstraint(text: string): Constraint {
  if (text.length > LONGEST) throw new InvalidArgument(`improper constraint: longer than ${LONGEST} characters`);
  const ranged = text.replace(RANGE, (_whole, ...groups: readonly (string | undefined)[]) => {
    return `>= ${groups[0] ?? ""}, <= ${groups[6] ?? ""}`;
  });
  const alternatives = ranged.split("||").map((part) => {
    if (part.trim() === "") throw new InvalidArgument(`improper constraint: ${text}`);
    if (!SEPARATED.test(part)) throw new InvalidArgument(`improper constraint: ${part}`);
    return (part.match(EACH) ?? []).map(comparisonOf);
  });
  return { allows: (version) => alternatives.some((all) => all.every((one) => holds(one, version))) };
}

const isAny = (part: string | undefined): boolean => part === undefined || /^\.?[xX*]$/.test(part);

function comparisonOf(text: string): Comparison {
  const [, operator = "", major = "", minor, patch, prerelease = ""] = ONE.exec(text) ?? [];
  const anyMajor = isAny(major);
  const anyMinor = !anyMajor && isAny(minor);
  const anyPatch = !anyMajor && !anyMinor && isAny(patch);
  let written = `${major}${minor ?? ""}${patch ?? ""}${prerelease}`;
  if (anyMajor) written = `0.0.0${prerelease}`;
  else if (anyMinor) written = `${major}.0.0${prerelease}`;
  else if (anyPatch) written = `${major}${minor ?? ""}.0${prerelease}`;
  const version = parseVersion(written);
  if (version === undefined) throw new InvalidArgument(`improper constraint: ${text.trim()}`);
  return { operator, version, anyMajor, anyMinor, anyPatch };
}

function holds(comparison: Comparison, version: Version): boolean {
  const { operator, version: wanted } = comparison;
  // Whoever asks for releases gets none that are not.
  const unwanted = version.prerelease !== "" && wanted.prerelease === "";
  const dirty = comparison.anyMajor || comparison.anyMinor || comparison.anyPatch;
  if (operator === "!=") return differs(comparison, version, dirty, unwanted);
  if (unwanted) return false;
  const order = compareVersions(version, wanted);
  switch (operator) {
    case ">":
      return above(comparison, version, order, dirty);
    case "<":
      return order < 0;
    case ">=":
    case "=>":
      return order >= 0;
    case "<=":
    case "=<":
      return notAbove(comparison, version, order, dirty);
    case "~":
    case "~>":
      return near(comparison, version, order);
    case "^":
      return compatible(comparison, version, order);
    default:
      return dirty ? near(comparison, version, order) : order === 0;
  }
}

function differs(
  { version: wanted, ...any }: Comparison,
  version: Version,
  dirty: boolean,
  unwanted: boolean,
): boolean {
  if (!dirty) return compareVersions(version, wanted) !== 0;
  if (unwanted) return false;
  if (wanted.major !== version.major) return true;
  if (any.anyMajor) return compareVersions(version, wanted) !== 0;
  if (any.anyMinor) return false;
  if (wanted.minor !== version.minor) return true;
  if (version.prerelease === "" && wanted.prerelease === "") return false;
  return comparePrereleases(version.prerelease, wanted.prerelease) !== 0;
}

function above(comparison: Comparison, version: Version, order: number, dirty: boolean): boolean {
  const wanted = comparison.version;
  if (!dirty) return order > 0;
  if (version.major !== wanted.major) return version.major > wanted.major;
  if (comparison.anyMinor) return false;
  return comparison.anyPatch ? version.minor > wanted.minor : order > 0;
}

function notAbove(comparison: Comparison, version: Version, order: number, dirty: boolean): boolean {
  const wanted = comparison.version;
  if (!dirty) return order <= 0;
  if (version.major > wanted.major) return false;
  return !(version.major === wanted.major && version.minor > wanted.minor && !comparison.anyMinor);
}

function near({ version: wanted, ...any }: Comparison, version: Version, order: number): boolean {
  if (order < 0) return false;
  // `~0.0.0` and `*` take everything.
  if (wanted.major === 0n && wanted.minor === 0n && wanted.patch === 0n && !any.anyMinor && !any.anyPatch) return true;
  if (version.major !== wanted.major) return false;
  return version.minor === wanted.minor || any.anyMinor;
}

function compatible({ version: wanted, ...any }: Comparison, version: Version, order: number): boolean {
  if (order < 0) return false;
  if (wanted.major > 0n || any.anyMinor) return version.major === wanted.major;
  if (version.major > 0n) return false;
  if (wanted.minor > 0n || any.anyPatch) return version.minor === wanted.minor;
  return version.minor === 0n && version.patch === wanted.patch;
}
