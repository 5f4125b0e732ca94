import assert from "node:assert/strict";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openTestBed } from "../testing.ts";

test("a runtime that does not come back is given up, and leaves nothing", async () => {
  let hang = "";
  await using bed = await openTestBed("sleeper", (directory) => {
    hang = join(directory, "hang");
    const path = join(directory, "sleeper");
    writeFileSync(
      path,
      `#!/bin/sh\nfor word; do case "$word" in create | exec | update) [ -e ${hang} ] && kill -STOP $$ ;; esac; done\nexec runc "$@"\n`,
    );
    chmodSync(path, 0o755);
    return { runtimes: { sleeper: { path } }, createTimeout: 1000 };
  });
  writeFileSync(hang, "");
  const container = bed.container(["true"]);
  const given = { code: "DeadlineExceeded", message: /did not create container .* within 1 seconds/ };
  await assert.rejects(bed.runtime.create(container), given);
  assert.deepEqual(await bed.runtime.listLeftovers(), []);
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error("never mind")), 100);
  await assert.rejects(bed.runtime.create({ ...container, signal: controller.signal }), /never mind/);
  assert.deepEqual(await bed.runtime.listLeftovers(), []);
  rmSync(hang);
  const running = bed.container(["sleep", "100"]);
  await bed.runtime.create(running);
  await bed.runtime.start(running.id);
  writeFileSync(hang, "");
  await assert.rejects(bed.runtime.update(running.id, { pids: { limit: 9 } }), { code: "DeadlineExceeded" });
  await assert.rejects(bed.runtime.exec(running.id, bed.execRequest(["true"])));
  await bed.runtime.delete(running.id);
});
