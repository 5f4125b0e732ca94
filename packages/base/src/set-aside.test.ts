import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createLogger } from "./log.ts";
import { setAside } from "./set-aside.ts";

test("what cannot be read stands beside, and the log says where", async () => {
  const directory = mkdtempSync(join(tmpdir(), "boxship-aside-"));
  try {
    const path = join(directory, "state.json");
    writeFileSync(`${path}.corrupt`, "an earlier one");
    writeFileSync(path, "garbage");
    const lines: string[] = [];
    const logger = createLogger({ write: (line) => lines.push(line) });
    await setAside(path, "the state", new SyntaxError("no JSON"), logger);
    assert.deepEqual(readdirSync(directory), ["state.json.corrupt"]);
    assert.equal(readFileSync(`${path}.corrupt`, "utf8"), "garbage");
    assert.ok(lines.join("").includes(path) && lines.join("").includes("no JSON"), lines.join(""));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
