import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { makeTar, type TarEntry, tempDir } from "@boxship/testkit";
import { EvidenceCollector } from "./evidence/read-layer.ts";
import { packageUrl } from "./package.ts";
import { endScanWorkers, takeInventory } from "./take-inventory.ts";
import { makeRpmHeader } from "./testing/rpm-fixture.ts";
import { makeZip } from "./testing/zip-fixture.ts";

after(() => endScanWorkers());

const DPKG = `Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl (3.0.11-1~deb12u2)
Version: 3.0.11-1~deb12u2+b1
Description: a library
 with more lines

Package: gone
Status: deinstall ok config-files
Version: 1
`;

function rpmDatabase(path: string): Buffer {
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)");
  const insert = database.prepare("INSERT INTO Packages (blob) VALUES (?)");
  insert.run(
    makeRpmHeader({
      1000: "bash",
      1001: "5.1.8",
      1002: "6.el9",
      1003: 1,
      1014: "GPLv3+",
      1022: "x86_64",
      1044: "bash-5.1.8-6.el9.src.rpm",
    }),
  );
  insert.run(makeRpmHeader({ 1000: "gpg-pubkey", 1001: "1", 1002: "1" }));
  database.close();
  return readFileSync(path);
}

/** What a Go program of 1.18 and later has in it. */
function goProgram(modules: string): Buffer {
  const text = (content: string) => {
    const bytes = Buffer.from(content, "latin1");
    return Buffer.concat([Buffer.from([(bytes.length & 0x7f) | 0x80, bytes.length >> 7]), bytes]);
  };
  const head = Buffer.alloc(32);
  Buffer.from("\u00ff Go buildinf:", "latin1").copy(head);
  head[14] = 8;
  head[15] = 2;
  const filler = Buffer.alloc(100_000, "\u007fELF");
  return Buffer.concat([filler, head, text("go1.22.3"), text(`${"0".repeat(16)}${modules}${"1".repeat(16)}`)]);
}

async function inventory(...layers: readonly (readonly (TarEntry & { readonly content?: string | Uint8Array })[])[]) {
  await using directory = tempDir("scan");
  const files = layers.map((entries, index) => {
    const path = directory.join(String(index));
    const tar = makeTar(entries);
    writeFileSync(path, index % 3 === 0 ? gzipSync(tar) : index % 3 === 1 ? zstdCompressSync(tar) : tar);
    return { digest: `sha256:${index}`, path };
  });
  return await takeInventory({ layers: files });
}

const file = (name: string, content: string | Uint8Array, mode = 0o644) => ({ name, content, mode }) as never;

test("packages of distributions and languages are found by what the layers have of them", async () => {
  await using directory = tempDir("rpmdb");
  const found = await inventory(
    [
      file("etc/os-release", 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n'),
      file("var/lib/dpkg/status", DPKG),
      file(
        "lib/apk/db/installed",
        "P:musl\nV:1.2.4-r2\nA:x86_64\no:musl\nL:MIT\n\nP:ssl_client\nV:1.36.1-r5\nA:x86_64\no:busybox\n",
      ),
      file("var/lib/rpm/rpmdb.sqlite", rpmDatabase(directory.join("db"))),
    ],
    [
      file("app/node_modules/@scope/tool/package.json", '{"name":"@scope/tool","version":"1.2.3","license":"MIT"}'),
      file("app/node_modules/broken/package.json", "{"),
      file(
        "usr/lib/python3/dist-packages/Some_Thing-1.0.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: Some_Thing\nVersion: 1.0\nLicense: BSD\n\nName: not this\n",
      ),
      file(
        "usr/bin/tool",
        goProgram(
          "path\ttool\nmod\texample.com/tool\t(devel)\t\ndep\tgolang.org/x/net\tv0.17.0\th1:x\ndep\told.example/x\tv1.0.0\n=>\tnew.example/x\tv1.0.1\th1:y\n",
        ),
        0o755,
      ),
      file("usr/bin/script", "#!/bin/sh\n\u00ff Go buildinf:", 0o755),
      file(
        "app/lib.jar",
        makeZip({
          "META-INF/maven/g/a/pom.properties": "version=1.5\ngroupId=org.example\nartifactId=lib\n",
          "x/Y.class": "no",
        }),
      ),
      file("app/not.jar", "no archive"),
    ],
  );
  deepEqual(found.distribution, { id: "debian", version: "12", name: "Debian 12" });
  deepEqual(
    found.packages.map((one) => packageUrl(one, found.distribution)),
    [
      "pkg:apk/debian/musl@1.2.4-r2?arch=x86_64&distro=debian-12",
      "pkg:apk/debian/ssl_client@1.36.1-r5?arch=x86_64&distro=debian-12",
      "pkg:deb/debian/libssl3@3.0.11-1~deb12u2%2Bb1?arch=amd64&distro=debian-12",
      "pkg:golang/golang.org/x/net@v0.17.0",
      "pkg:golang/new.example/x@v1.0.1",
      "pkg:golang/stdlib@1.22.3",
      "pkg:maven/org.example/lib@1.5",
      "pkg:npm/%40scope/tool@1.2.3",
      "pkg:pypi/some-thing@1.0",
      "pkg:rpm/debian/bash@5.1.8-6.el9?arch=x86_64&distro=debian-12&epoch=1",
    ],
  );
  const [deb] = found.packages.filter(({ kind }) => kind === "deb");
  deepEqual(deb?.source, { name: "openssl", version: "3.0.11-1~deb12u2" });
  equal(found.packages.find(({ kind }) => kind === "npm")?.layer, "sha256:1");
});

test("what an upper layer replaces, whites out or hides is not there", async () => {
  const npm = (name: string) => `{"name":"${name}","version":"1.0.0"}`;
  const found = await inventory(
    [
      file("a/node_modules/kept/package.json", npm("kept")),
      file("a/node_modules/removed/package.json", npm("removed")),
      file("a/node_modules/replaced/package.json", npm("old")),
      file("b/node_modules/hidden/package.json", npm("hidden")),
      file("c/node_modules/tree/package.json", npm("tree")),
    ],
    [
      file("a/node_modules/removed/.wh.package.json", ""),
      file("a/node_modules/replaced/package.json", npm("new")),
      file("b/node_modules/fresh/package.json", npm("fresh")),
      file("b/.wh..wh..opq", ""),
      file(".wh.c", ""),
    ],
  );
  deepEqual(
    found.packages.map(({ name }) => name),
    ["fresh", "kept", "new"],
  );
});

test("rpm's older databases are refused by name, and so are damaged layers", async () => {
  await rejects(() => inventory([file("var/lib/rpm/Packages", "x")]), /Berkeley DB kind, which is not supported/);
  await rejects(() => inventory([file("usr/lib/sysimage/rpm/Packages.db", "x")]), /ndb kind, which is not supported/);
  await rejects(() => inventory([file("var/lib/rpm/rpmdb.sqlite", "no database")]), /cannot be read/);
  await using directory = tempDir("scan");
  writeFileSync(directory.join("x"), gzipSync(makeTar([{ name: "a", content: "b" }])).subarray(0, 40));
  await rejects(
    () => takeInventory({ layers: [{ digest: "sha256:x", path: directory.join("x") }] }),
    /truncated|corrupt/,
  );
});

test("a database that rpm 4.18 itself made is read as rpm -qa lists it", async () => {
  const database = gunzipSync(readFileSync(join(import.meta.dirname, "testdata/rpm-4.18.sqlite.gz")));
  const { packages } = await inventory([{ name: "usr/lib/sysimage/rpm/rpmdb.sqlite", content: database }]);
  deepEqual(
    packages.map(({ name, version, architecture, license, source }) => [name, version, architecture, license, source]),
    ["demo-tool", "demo-tool-sub"].map((name) => [
      name,
      "1:2.5~rc1-3",
      "noarch",
      "MIT and Apache-2.0",
      { name: "demo-tool", version: "1:2.5~rc1-3" },
    ]),
  );
});

test("layers are checked against their digests where nobody did before", async () => {
  await using directory = tempDir("scan");
  const bytes = gzipSync(makeTar([file("etc/os-release", "ID=debian\n")]));
  const path = directory.join("layer");
  writeFileSync(path, bytes);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const { distribution } = await takeInventory({ layers: [{ digest, path, verified: false }] });
  equal(distribution?.id, "debian");
  const other = `sha256:${"0".repeat(64)}`;
  await rejects(() => takeInventory({ layers: [{ digest: other, path, verified: false }] }), /is damaged: its digest/);
});

test("this machine's own packages and programs are found as its tools list them", async () => {
  await using directory = tempDir("scan");
  const path = directory.join("layer.tar");
  const made = spawnSync(
    "tar",
    ["-C", "/", "-cf", path, "var/lib/dpkg/status", "usr/lib/os-release", "usr/bin/skopeo"],
    { encoding: "utf8" },
  );
  equal(made.status, 0, made.stderr);
  const found = await takeInventory({ layers: [{ digest: "sha256:x", path }] });
  const query = spawnSync("dpkg-query", ["-W", "-f", "${db:Status-Status} ${Package} ${Version}\\n"], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  const installed = query.stdout.split("\n").filter((line) => line.startsWith("installed "));
  const debs = found.packages
    .filter(({ kind }) => kind === "deb")
    .map(({ name, version }) => `installed ${name} ${version}`);
  deepEqual(new Set(debs), new Set(installed));
  ok(
    found.packages.some(({ kind, name }) => kind === "golang" && name === "stdlib"),
    "skopeo is a Go program",
  );
});

test("a small layer that is gigabytes of evidence takes no more memory than one file of it", async () => {
  await using directory = tempDir("scan");
  const body = gzipSync(Buffer.alloc(1024 * 1024, " "));
  const head = (index: number) => {
    const name = `app/node_modules/m${index}/package.json`;
    // Without the content, its padding and the archive's end.
    return gzipSync(makeTar([file(name, Buffer.alloc(1024 * 1024))]).subarray(0, 512));
  };
  const path = directory.join("bomb");
  const members = Array.from({ length: 200 }, (_, index) => [head(index), body]).flat();
  writeFileSync(path, Buffer.concat([...members, gzipSync(Buffer.alloc(1024))]));
  const before = process.memoryUsage().rss;
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
  const { packages } = await takeInventory({ layers: [{ digest: "sha256:0", path }] });
  clearInterval(watch);
  deepEqual(packages, []);
  ok(most - before < 120 * 1024 * 1024, `${(most - before) / 1e6} MB`);
});

test("evidence made to be read for ever is read at once, or refused", async () => {
  const metadata = `Name: a${" ".repeat(1_000_000)}b\nName: c\nVersion: 1\n\n`;
  const found = await inventory([file("usr/lib/python3/a.dist-info/METADATA", metadata)]);
  deepEqual(found.packages, [], "nothing has such a name");
  await using directory = tempDir("rpmdb");
  const endless =
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT zeroblob(1000) AS blob FROM n";
  for (const [index, sql] of [
    `CREATE VIEW Packages AS ${endless}`,
    "CREATE TABLE Packages (hnum INTEGER, blob AS (zeroblob(900000000))); INSERT INTO Packages (hnum) VALUES (1)",
    "CREATE TABLE other (blob)",
  ].entries()) {
    const path = directory.join(`${index}.sqlite`);
    const database = new DatabaseSync(path);
    database.exec(sql);
    database.close();
    const refused = inventory([file("var/lib/rpm/rpmdb.sqlite", readFileSync(path))]);
    await rejects(refused, /rpm database .* cannot be read/);
  }
});

test("names that no package has are passed over, and no terminal is told by them what to do", async () => {
  const npm = (name: string, license = "MIT") => JSON.stringify({ name, version: "1", license });
  const { packages } = await inventory([
    file("node_modules/a/package.json", npm("\u001b[2Ja")),
    file("node_modules/b/package.json", npm("b".repeat(100_000))),
    file("node_modules/c/package.json", npm("c", "\u001b]0;x\u0007MIT")),
  ]);
  deepEqual(
    packages.map(({ name, license }) => [name, license]),
    [["c", " ]0;x MIT"]],
  );
});

test("an image tells of so many packages and no more", () => {
  const one = { kind: "npm" as const, name: "a", version: "1", path: "/a", layer: "sha256:0" };
  const collector = new EvidenceCollector({ tell: () => ({ packages: () => [one], count: 1 }), mostPackages: 3 });
  const entries = [0, 1, 2, 3].map((n) => file(`node_modules/m${n}/package.json`, "{}"));
  throws(() => collector.layer("sha256:0").push(makeTar(entries)), /more than 3 packages/);
});
