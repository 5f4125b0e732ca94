import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatDeb822, readAptSources } from "./apt-sources.ts";

function etcApt(files: Readonly<Record<string, string>>) {
  const path = mkdtempSync(join(tmpdir(), "boxship-apt-"));
  mkdirSync(join(path, "sources.list.d"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("the distribution's own sources are kept in both forms, others are left out", async () => {
  using apt = etcApt({
    "sources.list": `# comment
deb http://deb.debian.org/debian bookworm main contrib # trailing
deb-src http://deb.debian.org/debian bookworm main
deb [arch=amd64,arm64 signed-by=/k.gpg] http://security.debian.org bookworm-security main
deb https://example.org/other cloud-sdk-bookworm main
`,
    "sources.list.d/a.sources": `Types: deb deb-src
# a comment inside
URIs: http://mirror/debian
Suites: bookworm bookworm-updates bookwormish nodistro
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Types: deb
URIs: http://disabled/
Suites: bookworm
Enabled: no

Types: deb
URIs: https://deb.nodesource.com/node_20.x
Suites: nodistro
Components: main
`,
    "sources.list.d/ignored.save": "deb http://old bookworm main\n",
  });
  const sources = await readAptSources("bookworm", apt.path);
  assert.equal(
    formatDeb822(sources),
    `Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main contrib

Types: deb
URIs: http://security.debian.org
Suites: bookworm-security
Components: main
Architectures: amd64 arm64
Signed-By: /k.gpg

Types: deb
URIs: http://mirror/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: 
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
`,
  );
});

test("without sources of the release there is an error that says so", async () => {
  using apt = etcApt({ "sources.list": "deb http://x trixie main\n" });
  await assert.rejects(readAptSources("bookworm", apt.path), {
    code: "FailedPrecondition",
    message: /no package sources of bookworm/,
  });
  await assert.rejects(readAptSources("bookworm", join(apt.path, "absent")), { code: "FailedPrecondition" });
});
