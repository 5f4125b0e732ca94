import { deepEqual, equal, match } from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { pushFixture, startRegistry, tempDir } from "@boxship/testkit";
import { commandInProcess } from "../testing/in-process.ts";
import { command as list } from "./artifact-ls.ts";
import { command as pull } from "./artifact-pull.ts";
import { command as sbom } from "./image-sbom.ts";
import { command as scan } from "./image-scan.ts";

test("an image in a registry is described, scanned, and what was found is attached to it", async () => {
  await using registry = await startRegistry();
  await using directory = tempDir("cli-scan");
  const status = "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.11-1\n";
  await pushFixture(registry, "team/app:1", {
    layers: [
      { entries: [{ name: "etc/os-release", content: "ID=debian\nVERSION_ID=12\n" }] },
      { entries: [{ name: "var/lib/dpkg/status", content: status }] },
    ],
  });
  const image = `docker://${registry.host}/team/app:1`;
  const db = directory.join("db.json");
  const affected = [
    {
      package: { ecosystem: "Debian:12", name: "openssl" },
      ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "3.0.13-1" }] }],
    },
  ];
  writeFileSync(db, JSON.stringify({ id: "DSA-1", summary: "bad", database_specific: { severity: "HIGH" }, affected }));
  const run = async (command: typeof scan | typeof sbom, ...args: string[]) => {
    const told = await commandInProcess(command, args);
    return told;
  };

  const spdx = JSON.parse((await run(sbom, "--attach", image)).stdout) as {
    spdxVersion: string;
    packages: { name: string; versionInfo: string }[];
    creationInfo: { created: string };
  };
  equal(spdx.spdxVersion, "SPDX-2.3");
  deepEqual(
    spdx.packages.slice(1).map(({ name, versionInfo }) => [name, versionInfo]),
    [["openssl", "3.0.11-1"]],
  );
  equal(spdx.creationInfo.created, "2026-01-01T00:00:00Z");
  for (const version of ["1.5", "1.6"]) {
    const file = directory.join(`bom-${version}.json`);
    const written = await run(sbom, "--format=cyclonedx-json", `--cyclonedx-version=${version}`, "-o", file, image);
    equal(written.status, 0, written.stderr);
    const bom = JSON.parse(readFileSync(file, "utf8")) as {
      specVersion: string;
      components: { type: string; purl?: string }[];
    };
    equal(bom.specVersion, version);
    deepEqual(
      bom.components.map(({ type, purl }) => purl ?? type),
      ["operating-system", "pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12"],
    );
  }
  equal((await run(sbom, image)).stdout, (await run(sbom, image)).stdout);

  const table = await run(scan, `--db=${db}`, image);
  equal(table.status, 0, table.stderr);
  match(
    table.stdout,
    /^PACKAGE +VERSION +FIXED IN +SEVERITY +ID +SUMMARY\nopenssl +3.0.11-1 +3.0.13-1 +high +DSA-1 +bad\n\n1 packages, 1 vulnerabilities: 0 critical, 1 high/,
  );
  const sarif = JSON.parse((await run(scan, `--db=${db}`, "--format=sarif", "--attach", image)).stdout) as {
    version: string;
    runs: { results: { ruleId: string; level: string }[] }[];
  };
  deepEqual(
    [sarif.version, sarif.runs[0]?.results.map(({ ruleId, level }) => `${ruleId} ${level}`)],
    ["2.1.0", ["DSA-1 error"]],
  );
  const json = JSON.parse((await run(scan, `--db=${db}`, "--format=json", image)).stdout) as {
    vulnerabilities: { id: string; fixedIn: string }[];
  };
  deepEqual(
    json.vulnerabilities.map(({ id, fixedIn }) => [id, fixedIn]),
    [["DSA-1", "3.0.13-1"]],
  );
  equal((await run(scan, `--db=${db}`, "--fail-on=high", image)).status, 2);
  equal((await run(scan, `--db=${db}`, "--fail-on=critical", image)).status, 0);
  match((await run(scan, `--db=${db}`, "--severity=critical", image)).stdout, /^1 packages, 0 vulnerabilities/);
  match((await run(scan, image)).stderr, /--db is needed/);
  match((await run(scan, `--db=${directory.join("none")}`, image)).stderr, /there is no vulnerability database/);

  const attached = await commandInProcess(list, [`${registry.host}/team/app:1`]);
  match(attached.stdout, /application\/spdx\+json[^]*application\/sarif\+json/);
  const digest = /application\/spdx\+json +(sha256:[0-9a-f]+)/.exec(attached.stdout)?.[1] ?? "";
  const pulled = await commandInProcess(pull, ["-o", directory.join("pulled"), `${registry.host}/team/app@${digest}`]);
  equal(pulled.status, 0, pulled.stderr);
  deepEqual(JSON.parse(readFileSync(directory.join("pulled/report.json"), "utf8")), spdx);
});
