import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { newestList } from "./apt-lists.ts";

test("the newest list of a release and its updates", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "boxship-apt-lists-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const list = (name: string, codename: string, date: string) =>
    writeFileSync(join(directory, name), `Origin: Debian\nCodename: ${codename}\nDate: ${date}\nSHA256:\n 0 1 x\n`);
  assert.equal(await newestList("bookworm", directory), undefined);
  list("a_bookworm_InRelease", "bookworm", "Sat, 06 Sep 2025 10:00:00 UTC");
  list("a_security_Release", "bookworm-security", "Sun, 07 Sep 2025 10:00:00 UTC");
  list("b_trixie_InRelease", "trixie", "Mon, 08 Sep 2025 10:00:00 UTC");
  list("c_bookworm_Packages", "bookworm", "Tue, 09 Sep 2025 10:00:00 UTC");
  list("d_bookworm_InRelease", "bookworm", "never");
  assert.equal(await newestList("bookworm", directory), Date.UTC(2025, 8, 7, 10) / 1000);
  assert.equal(await newestList("bookworm", join(directory, "absent")), undefined);
});
