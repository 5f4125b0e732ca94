import { compareApk } from "@boxship/oci";
import type { PackageKind } from "../package.ts";
import { compareDpkg } from "./dpkg.ts";
import { compareMaven } from "./maven.ts";
import { comparePep440 } from "./pep440.ts";
import { compareRpm } from "./rpm.ts";
import { compareSemver } from "./semver.ts";

/** Negative if `a` comes before `b`, positive if after, 0 if they are the same version. */
export type CompareVersions = (a: string, b: string) => number;

export const comparers: Readonly<Record<PackageKind, CompareVersions>> = {
  deb: compareDpkg,
  apk: compareApk,
  rpm: compareRpm,
  npm: compareSemver,
  golang: compareSemver,
  pypi: comparePep440,
  maven: compareMaven,
};
