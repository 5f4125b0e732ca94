import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";

const repository = resolve(import.meta.dirname, "..");

/** Runs `command` in a copy of the scripts that everybody may read. */
function inCopy(command: readonly string[]): { status: number | null; stderr: string; stdout: string } {
  const copy = mkdtempSync(join(tmpdir(), "boxship-setup-"));
  try {
    chmodSync(copy, 0o777);
    cpSync(join(repository, "scripts"), join(copy, "scripts"), { recursive: true });
    const [file = "", ...args] = command;
    return spawnSync(file, args, { cwd: copy, encoding: "utf8" });
  } finally {
    rmSync(copy, { recursive: true });
  }
}

const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

for (const command of ["scripts/setup.sh", "scripts/quickstart.sh", "scripts/test.sh", "scripts/bench.sh"]) {
  test(`${command} without root says so and ends with 1`, () => {
    const { status, stderr } = inCopy([...nobody, "sh", command]);
    assert.equal(status, 1);
    assert.match(stderr, /^setup: root is needed: .*sudo\.\n$/);
  });
}

test("an unknown purpose is refused by name", () => {
  const { status, stderr } = inCopy(["sh", "scripts/setup.sh", "party"]);
  assert.deepEqual([status, stderr], [1, "setup: unknown purpose 'party': run, test or verify\n"]);
});

test("a checkout that is ready is left alone, in silence and at once", () => {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync("sh", ["scripts/setup.sh", "verify"], {
    cwd: repository,
    encoding: "utf8",
  });
  assert.deepEqual([status, stdout, stderr], [0, "", ""]);
  assert.ok(performance.now() - start < 2000);
});

test("where apt-get is missing, what is missing is named and nothing is done", () => {
  const copy = mkdtempSync(join(tmpdir(), "boxship-other-"));
  try {
    // A PATH with the shell's own needs and nothing else: no runtime, no package manager.
    mkdirSync(join(copy, "bin"));
    const link = 'for tool in sh uname id mkdir dirname cat; do ln -s "$(command -v $tool)" "$0/$tool"; done';
    assert.equal(spawnSync("sh", ["-c", link, join(copy, "bin")]).status, 0);
    cpSync(join(repository, "scripts"), join(copy, "scripts"), { recursive: true });
    const options = { cwd: copy, encoding: "utf8", env: { PATH: join(copy, "bin") } } as const;
    const { status, stderr } = spawnSync("sh", ["scripts/setup.sh", "run"], options);
    assert.equal(status, 1);
    assert.match(stderr, /^setup: missing: .*conmon.*Only Debian and Ubuntu are installed from automatically/);
  } finally {
    rmSync(copy, { recursive: true });
  }
});
