import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { BoxshipError } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { assert as check, constantFrom, jsonValue, nat, property, record, string, uint8Array } from "fast-check";
import { parseApkInstalled, parseDpkgStatus, parseOsRelease } from "../evidence/parse-distro.ts";
import { parseGoModules, parseJar, parseNpm, parsePython } from "../evidence/parse-language.ts";
import { readHeader } from "../evidence/rpm-database.ts";
import { readZip } from "../evidence/zip.ts";
import type { FoundPackage, Inventory } from "../package.ts";
import { endScanWorkers } from "../take-inventory.ts";
import { makeZip } from "../testing/zip-fixture.ts";
import { compareSemver } from "../version/semver.ts";
import { cvssScore, cvssSeverity } from "./cvss.ts";
import { findVulnerabilities } from "./find-vulnerabilities.ts";
import { isAffected, readOsv } from "./osv.ts";

after(() => endScanWorkers());

const place = { path: "/x", layer: "sha256:x" };
const deb = (name: string, version: string, source?: FoundPackage["source"]): FoundPackage => ({
  kind: "deb",
  name,
  version,
  ...place,
  ...(source !== undefined && { source }),
});

const debian: Inventory = {
  distribution: { id: "debian", version: "12", name: "Debian 12" },
  packages: [
    deb("libssl3", "3.0.11-1+b1", { name: "openssl", version: "3.0.11-1" }),
    deb("bash", "5.2-1"),
    { kind: "npm", name: "lodash", version: "4.17.20", ...place },
  ],
};

const range = (...events: readonly Record<string, string>[]) => [{ type: "ECOSYSTEM", events }];
const DATABASE = {
  "a.json": {
    id: "DSA-1",
    aliases: ["CVE-1"],
    summary: "bad openssl",
    severity: [{ type: "CVSS_V3", score: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }],
    affected: [
      {
        package: { ecosystem: "Debian:12", name: "openssl" },
        ranges: range({ introduced: "0" }, { fixed: "3.0.13-1" }),
      },
    ],
  },
  "other-release.json": {
    id: "DSA-2",
    affected: [{ package: { ecosystem: "Debian:11", name: "openssl" }, ranges: range({ introduced: "0" }) }],
  },
  "fixed.json": {
    id: "DSA-3",
    affected: [
      { package: { ecosystem: "Debian:12", name: "bash" }, ranges: range({ introduced: "0" }, { fixed: "5.2-1" }) },
    ],
  },
  "withdrawn.json": {
    id: "DSA-4",
    withdrawn: "2024-01-01T00:00:00Z",
    affected: [{ package: { ecosystem: "Debian:12", name: "bash" }, ranges: range({ introduced: "0" }) }],
  },
  "npm.json": {
    id: "GHSA-1",
    summary: "bad lodash",
    database_specific: { severity: "MODERATE" },
    affected: [
      {
        package: { ecosystem: "npm", name: "lodash" },
        ranges: [{ type: "SEMVER", events: [{ introduced: "4.0.0" }, { fixed: "4.17.21" }] }],
      },
    ],
  },
};

test("what a database says of an image's packages, from a directory and from a zip archive", async () => {
  await using directory = tempDir("osv");
  const texts = Object.fromEntries(Object.entries(DATABASE).map(([name, entry]) => [name, JSON.stringify(entry)]));
  mkdirSync(directory.join("plain", "deeper"), { recursive: true });
  for (const [name, text] of Object.entries(texts)) writeFileSync(directory.join("plain", "deeper", name), text);
  writeFileSync(directory.join("all.zip"), makeZip(texts));
  writeFileSync(directory.join("wide.zip"), makeZip(texts, true));
  for (const database of ["plain", "all.zip", "wide.zip"].map((name) => directory.join(name))) {
    const found = await findVulnerabilities({ database, inventory: debian });
    deepEqual(
      found.map(({ id, severity, fixed, found: { name } }) => [id, severity, fixed, name]),
      [
        ["DSA-1", "critical", "3.0.13-1", "libssl3"],
        ["GHSA-1", "medium", "4.17.21", "lodash"],
      ],
    );
  }
  await rejects(
    () => findVulnerabilities({ database: directory.join("none"), inventory: debian }),
    /there is no vulnerability database/,
  );
  mkdirSync(directory.join("empty"));
  await rejects(
    () => findVulnerabilities({ database: directory.join("empty"), inventory: debian }),
    /holds no vulnerabilities/,
  );
  writeFileSync(directory.join("bad.json"), "{");
  await rejects(() => findVulnerabilities({ database: directory.join("bad.json"), inventory: debian }), /is no JSON/);
});

test("releases of distributions", async () => {
  await using directory = tempDir("osv");
  const inventory = (id: string, version: string): Inventory => ({
    distribution: { id, version, name: id },
    packages: [{ kind: id === "alpine" ? "apk" : "deb", name: "x", version: "1.0-r0", ...place }],
  });
  const cases: readonly (readonly [string, string, string, number])[] = [
    ["alpine", "3.20.1", "Alpine:v3.20", 1],
    ["alpine", "3.2", "Alpine:v3.20", 0],
    ["ubuntu", "22.04", "Ubuntu:22.04:LTS", 1],
    ["ubuntu", "22.04", "Ubuntu:Pro:22.04:LTS", 1],
    ["ubuntu", "24.04", "Ubuntu:22.04:LTS", 0],
    ["debian", "12", "Debian", 1],
    ["debian", "12.5", "Debian:12", 1],
  ];
  for (const [index, [id, version, ecosystem, expected]] of cases.entries()) {
    const database = directory.join(`${index}.json`);
    writeFileSync(
      database,
      JSON.stringify({
        id: "X-1",
        affected: [{ package: { ecosystem, name: "x" }, ranges: range({ introduced: "0" }) }],
      }),
    );
    equal(
      (await findVulnerabilities({ database, inventory: inventory(id, version) })).length,
      expected,
      `${id} ${version} ${ecosystem}`,
    );
  }
});

test("ranges with several gaps, last affected versions and listed versions", () => {
  const entry = readOsv({
    id: "X",
    affected: [
      {
        package: { ecosystem: "npm", name: "x" },
        versions: ["9.9.9"],
        ranges: [
          {
            type: "SEMVER",
            events: [{ fixed: "2.1.0" }, { introduced: "2.0.0" }, { introduced: "0" }, { fixed: "1.1.0" }],
          },
          { type: "SEMVER", events: [{ introduced: "3.0.0" }, { last_affected: "3.5.0" }] },
        ],
      },
    ],
  });
  const affected = entry?.affected[0];
  const is = (version: string) => affected !== undefined && isAffected(affected, version, compareSemver);
  deepEqual(["0.1.0", "1.0.9", "1.1.0", "2.0.0", "2.1.0", "3.0.0", "3.5.0", "3.5.1", "9.9.9"].filter(is), [
    "0.1.0",
    "1.0.9",
    "2.0.0",
    "3.0.0",
    "3.5.0",
    "9.9.9",
  ]);
});

test("scores of CVSS are those of its examples", () => {
  equal(cvssScore("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), 9.8);
  equal(cvssScore("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"), 6.1);
  equal(cvssScore("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H"), 9.9);
  equal(cvssScore("CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"), 1.8);
  equal(cvssScore("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"), 0);
  equal(cvssScore("AV:N/AC:L/Au:N/C:P/I:P/A:P"), 7.5);
  equal(cvssScore("AV:N/AC:L/Au:N/C:C/I:C/A:C"), 10);
  // Of its specification's examples, and the corners of its table.
  for (const [rest, score] of [
    ["AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10],
    ["AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3],
    ["AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.7],
    ["AV:L/AC:L/AT:N/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 8.5],
    ["AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", 8.1],
    ["AV:P/AC:H/AT:P/PR:H/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N", 1],
    ["AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0],
  ] as const) {
    equal(cvssScore(`CVSS:4.0/${rest}`), score, rest);
  }
  for (const broken of [
    "",
    "CVSS:4.0/AV:N",
    "CVSS:4.0/AV:Z/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
    "CVSS:3.1/",
    "AV:",
  ]) {
    equal(cvssScore(broken), undefined, broken);
  }
  deepEqual(["7.5", "AV:N/AC:L/Au:N/C:C/I:C/A:C", "CVSS:4.0/none", "9.0"].map(cvssSeverity), [
    "high",
    "high",
    "unknown",
    "critical",
  ]);
});

test("a vector of CVSS 4.0 is no less grave when one of its metrics is worse", () => {
  const metrics = {
    AV: "PLAN",
    AC: "HL",
    AT: "PN",
    PR: "HLN",
    UI: "APN",
    VC: "NLH",
    VI: "NLH",
    VA: "NLH",
    SC: "NLH",
    SI: "NLH",
    SA: "NLH",
  };
  const names = Object.keys(metrics) as (keyof typeof metrics)[];
  const chosen = record(Object.fromEntries(names.map((name) => [name, nat(metrics[name].length - 1)])));
  const vector = (levels: Record<string, number>) =>
    `CVSS:4.0/${names.map((name) => `${name}:${metrics[name][levels[name] ?? 0]}`).join("/")}`;
  check(
    property(chosen, nat(names.length - 1), (levels, index) => {
      const name = names[index] ?? "AV";
      const level = Math.min((levels[name] ?? 0) + 1, metrics[name].length - 1);
      const [less, more] = [cvssScore(vector(levels)), cvssScore(vector({ ...levels, [name]: level }))];
      ok(less !== undefined && more !== undefined && less >= 0 && more <= 10);
      ok(more >= less, `${vector(levels)} with ${name} worse: ${less} and ${more}`);
    }),
  );
});

test("no input makes a reader throw anything else than its own errors", () => {
  check(
    property(string(), (text) => {
      for (const parse of [parseDpkgStatus, parseApkInstalled, parseNpm, parsePython, parseGoModules])
        parse(text, place);
      parseOsRelease(text);
    }),
  );
  check(property(jsonValue(), (value) => void readOsv(value)));
  check(
    property(uint8Array({ maxLength: 400 }), (bytes) => {
      parseJar(Buffer.from(bytes), place);
      readHeader(Buffer.from(bytes), place);
    }),
  );
  const zips = [false, true].map((wide) => makeZip({ a: "content", b: "more" }, wide));
  check(
    property(uint8Array({ minLength: 1, maxLength: 6 }), constantFrom(...zips), (changes, zip) => {
      const damaged = Buffer.from(zip);
      for (const [index, change] of changes.entries()) damaged[(change * 7 + index * 31) % damaged.length] = change;
      try {
        for (const member of readZip(damaged)) member.content();
      } catch (error) {
        if (!(error instanceof BoxshipError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
  throws(() => [...readZip(Buffer.alloc(10))], /has no directory/);
});
