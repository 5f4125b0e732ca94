import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findProgram, isExecutable } from "./programs.ts";

test("a program is found in the given path first, then where systems have them", () => {
  const directory = mkdtempSync(join(tmpdir(), "boxship-programs-"));
  try {
    assert.match(findProgram("sh", "") ?? "", /^\/(usr\/)?bin\/sh$/);
    writeFileSync(join(directory, "sh"), "", { mode: 0o644 });
    assert.doesNotMatch(
      findProgram("sh", directory) ?? "",
      /boxship-programs/,
      "what cannot be executed is passed over",
    );
    chmodSync(join(directory, "sh"), 0o755);
    assert.equal(findProgram("sh", `relative:${directory}`), join(directory, "sh"));
    mkdirSync(join(directory, "folder"));
    assert.equal(isExecutable(join(directory, "folder")), false);
    assert.equal(findProgram("no-such-program-here"), undefined);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
