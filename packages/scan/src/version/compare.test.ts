import { deepEqual, equal } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { assert as check, constantFrom, property, sample, string, stringMatching, tuple } from "fast-check";
import type { PackageKind } from "../package.ts";
import { comparers } from "./compare.ts";

/** Each in its order. */
const ORDERED: Readonly<Record<PackageKind, readonly string[]>> = {
  deb: [
    "1.0~~",
    "1.0~rc1-1",
    "1.0-1~deb12u1",
    "1.0-1",
    "1.0-1+b1",
    "1.0-1.1",
    "1.0a-1",
    "1.0+dfsg-1",
    "1.2-1",
    "1.10-1",
    "1:0.1",
  ],
  apk: [
    "1.0_alpha1-r0",
    "1.0_beta-r0",
    "1.0_rc2-r1",
    "1.0-r0",
    "1.0-r10",
    "1.0_p1-r0",
    "1.0a-r0",
    "1.0.1-r0",
    "1.2-r0",
    "1.10-r0",
  ],
  rpm: ["1.0~rc1-1", "1.0-1", "1.0^git1-1", "1.0.1-1", "1.0.1-1.el9", "1.0.1-2", "1.2-1", "1.10-1", "1:0.1-1"],
  npm: [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.2.0",
    "1.10.0",
    "2.0.0",
  ],
  golang: [
    "v0.0.0-20190101000000-abcdef123456",
    "v0.0.0-20200101000000-abcdef123456",
    "1.22rc1",
    "1.22",
    "v1.22.1",
    "v2.0.0+incompatible",
  ],
  pypi: [
    "1.0.dev1",
    "1.0a1.dev1",
    "1.0a1",
    "1.0b2",
    "1.0rc1",
    "1.0",
    "1.0+local.1",
    "1.0.post1.dev2",
    "1.0.post1",
    "1.1",
    "1.10",
    "1!0.1",
  ],
  maven: [
    "1.0-alpha-1",
    "1.0-beta-2",
    "1.0-m1",
    "1.0-rc1",
    "1.0-SNAPSHOT",
    "1.0",
    "1.0-sp1",
    "1.0-zeta",
    "1.0.1",
    "1.2",
    "1.10",
  ],
};

const EQUAL: readonly (readonly [PackageKind, string, string])[] = [
  ["deb", "0:1.0-1", "1.0-1"],
  ["deb", "1.0", "1.0-0"],
  ["rpm", "1.0.1-1", "1_0_1-1"],
  ["rpm", "1.0-1", "1.0"],
  ["npm", "1.0.0+a", "1.0.0+b"],
  ["golang", "v1.2.0", "1.2"],
  ["pypi", "1.0", "1"],
  ["pypi", "1.0-1", "1.0.post1"],
  ["maven", "1.0.0", "1-ga"],
];

test("versions are in the order of their ecosystem", () => {
  for (const [kind, versions] of Object.entries(ORDERED) as [PackageKind, readonly string[]][]) {
    const compare = comparers[kind];
    for (const [i, a] of versions.entries()) {
      for (const [j, b] of versions.entries()) equal(Math.sign(compare(a, b)), Math.sign(i - j), `${kind}: ${a} ${b}`);
    }
  }
  for (const [kind, a, b] of EQUAL) equal(comparers[kind](a, b), 0, `${kind}: ${a} ${b}`);
});

test("any texts have an order, the same from both sides", () => {
  const version = constantFrom(string(), stringMatching(/^[v]?[0-9]{1,3}([.~^_+-][0-9a-z]{0,4}){0,4}$/)).chain(
    (kind) => kind,
  );
  check(
    property(constantFrom(...(Object.keys(comparers) as PackageKind[])), version, version, (kind, a, b) => {
      equal(comparers[kind](a, b) + comparers[kind](b, a), 0);
      equal(comparers[kind](a, a), 0);
    }),
    { numRuns: 2000 },
  );
});

test("dpkg itself has the same order", () => {
  const part = stringMatching(/^[0-9][0-9a-zA-Z.+~]{0,6}(-[0-9a-zA-Z.+~]{1,4})?$/);
  const pairs = sample(tuple(part, part), { numRuns: 300, seed: 7 });
  const lines = pairs.map(
    ([a, b]) =>
      `if dpkg --compare-versions '${a}' lt '${b}'; then echo -1; elif dpkg --compare-versions '${a}' eq '${b}'; then echo 0; else echo 1; fi`,
  );
  const { stdout } = spawnSync("sh", ["-c", lines.join("\n")], { encoding: "utf8" });
  deepEqual(
    pairs.map(([a, b]) => Math.sign(comparers.deb(a, b))),
    stdout.trim().split("\n").map(Number),
  );
});
