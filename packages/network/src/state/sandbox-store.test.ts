import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { SandboxStore } from "./sandbox-store.ts";
import type { StoredSandbox } from "./stored.ts";

function sandbox(id: string, hostname: string): StoredSandbox {
  return { id, path: `/x/${id}`, hostname, dns: {}, extraHosts: [], endpoints: [], published: [] };
}

function withDirectory(use: (runDir: string, files: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "boxship-store-"));
  try {
    use(directory, join(directory, "sandboxes"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe("the sandboxes on disk", () => {
  it("are loaded as they were saved last", () => {
    withDirectory((runDir, files) => {
      const store = new SandboxStore(runDir);
      for (const name of ["one", "two", "three"]) store.save(sandbox("a.1", name));
      store.save(sandbox("b", "other"));
      store.save(sandbox("c", "gone"));
      store.remove("c");
      store.remove("never");
      assert.equal(readdirSync(files).length, 2);
      const again = new SandboxStore(runDir);
      const loaded = new Map(again.load().map(({ id, hostname }) => [id, hostname]));
      assert.deepEqual([loaded.get("a.1"), loaded.get("b"), loaded.size], ["three", "other", 2]);
      again.save(sandbox("b", "changed"));
      again.remove("a.1");
      assert.deepEqual(new SandboxStore(runDir).load(), [sandbox("b", "changed")]);
      assert.throws(() => store.save(sandbox("../x", "x")), { code: "InvalidArgument" });
    });
  });

  it("what a crash or another boot left is removed", () => {
    withDirectory((runDir, files) => {
      const store = new SandboxStore(runDir);
      store.save(sandbox("a", "older"));
      const [name = ""] = readdirSync(files);
      const kept = readFileSync(join(files, name));
      store.save(sandbox("a", "newer"));
      writeFileSync(join(files, name), kept);
      writeFileSync(join(files, "a.9.json.tmp"), "{");
      writeFileSync(join(files, "b.1.json"), "");
      writeFileSync(join(files, "c.1.json"), JSON.stringify({ boot: "another", sandbox: sandbox("c", "c") }));
      assert.deepEqual(new SandboxStore(runDir).load(), [sandbox("a", "newer")]);
      assert.equal(readdirSync(files).length, 1);
    });
  });
});
