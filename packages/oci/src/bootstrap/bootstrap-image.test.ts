import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openContentStore } from "../content-store/filesystem.ts";
import { endUnpackWorkers, unpackLayer } from "../layer/unpack.ts";
import { type BootstrapRequest, bootstrapImage } from "./bootstrap-image.ts";
import { isStatic } from "./busybox.ts";

after(endUnpackWorkers);

async function sandbox() {
  const directory = mkdtempSync(join(tmpdir(), "boxship-bootstrap-test-"));
  const store = await openContentStore({ root: join(directory, "content") });
  const target = join(directory, "layer");
  mkdirSync(target);
  const lease = store.lease();
  const make = async (request: Omit<BootstrapRequest, "store" | "lease">) => {
    const made = await bootstrapImage({ ...request, store, lease });
    const blobPath = await store.path(made.layer.descriptor.digest);
    const { mediaType } = made.layer.descriptor;
    const unpacked = await unpackLayer({ blobPath, mediaType, diffId: made.layer.diffId, targetDirectory: target });
    assert.equal(unpacked.size, made.layer.size);
    return made;
  };
  const dispose = async () => {
    lease[Symbol.dispose]();
    await store[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  };
  return { directory, target, make, [Symbol.asyncDispose]: dispose };
}

test("a busybox image has a working system, and is the same for the same time", async () => {
  await using box = await sandbox();
  const made = await box.make({ kind: "busybox", epoch: 1_700_000_000 });
  assert.deepEqual(made.tags, ["busybox:latest"]);
  assert.equal(made.image.config.created, "2023-11-14T22:13:20.000Z");
  const inside = (...command: string[]) => execFileSync("chroot", [box.target, ...command], { encoding: "utf8" });
  assert.equal(inside("/bin/sh", "-c", "id -un; stat -c %a /tmp; stat -c %Y /etc/passwd"), "root\n1777\n1700000000\n");
  assert.match(inside("/usr/bin/env", "true") + inside("/bin/busybox"), /BusyBox/);

  await using again = await sandbox();
  const second = await again.make({ kind: "busybox", epoch: 1_700_000_000 });
  assert.equal(second.layer.descriptor.digest, made.layer.descriptor.digest);
  await using later = await sandbox();
  const own = await later.make({ kind: "busybox" });
  assert.notEqual(own.layer.diffId, made.layer.diffId);
  assert.equal(
    own.image.config.created,
    new Date(Math.floor(statSync("/bin/busybox").mtimeMs / 1000) * 1000).toISOString(),
  );
  await using last = await sandbox();
  assert.deepEqual((await last.make({ kind: "busybox" })).image.config, own.image.config, "the program's own time");
});

test("a static program is told from a dynamic one", () => {
  assert.equal(isStatic(readFileSync("/bin/busybox")), true);
  assert.equal(isStatic(readFileSync("/bin/ls")), false);
  assert.equal(isStatic(Buffer.from("#!/bin/sh\n")), false);
});

test("what mmdebstrap says reaches the user, and its failure the caller", async (t) => {
  await using box = await sandbox();
  // A stand-in that speaks as mmdebstrap does; the real one is run by the quickstart.
  const bin = join(box.directory, "bin");
  mkdirSync(bin);
  const program = (script: string) => {
    writeFileSync(join(bin, "mmdebstrap"), `#!/bin/bash\n${script}`);
    chmodSync(join(bin, "mmdebstrap"), 0o755);
  };
  const path = process.env["PATH"];
  process.env["PATH"] = `${bin}:${path}`;
  t.after(() => {
    process.env["PATH"] = path;
  });
  const said: string[] = [];
  const onProgress = (message: string) => void said.push(message);

  program(`
    echo "I: running apt-get update..." >&2
    args=("$@"); list="\${args[-1]}"; grep -q "^Suites: .*\${args[-3]}" "$list" || exit 9
    cd ${box.directory} && mkdir -p tree/etc tree/dev tree/usr/sbin && mknod tree/dev/null c 1 3 && echo "$SOURCE_DATE_EPOCH" > tree/etc/epoch
    tar -C tree --sort=name -c .`);
  const made = await box.make({ kind: "debian", epoch: 1_700_000_000, onProgress });
  assert.match(made.tags.join(), /^(debian|ubuntu):[a-z]+,\1:latest$/);
  assert.equal(said[0], "running apt-get update...");
  const listing = execFileSync("find", [".", "-printf", "%p %m\\n"], { cwd: box.target, encoding: "utf8" });
  assert.match(listing, /\.\/usr\/sbin\/policy-rc\.d 755\n/);
  assert.doesNotMatch(listing, /null/);
  assert.equal(readFileSync(join(box.target, "etc/epoch"), "utf8"), "1700000000\n");

  program('echo "I: starting" >&2; echo "E: apt-get update failed" >&2; exit 25');
  await assert.rejects(box.make({ kind: "debian" }), {
    code: "Unavailable",
    message: "mmdebstrap failed: E: apt-get update failed",
    remedy: /apt-get update/,
  });
  program("echo cut short; exit 0");
  await assert.rejects(box.make({ kind: "debian" }), { code: "InvalidArgument", message: /truncated/ });
  program("trap 'exit 3' TERM; sleep 60 & wait");
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error("never mind")), 100);
  await assert.rejects(box.make({ kind: "debian", signal: controller.signal }), /never mind/);
  process.env["PATH"] = bin;
  rmSync(join(bin, "mmdebstrap"));
  await assert.rejects(box.make({ kind: "debian" }), {
    code: "FailedPrecondition",
    message: "mmdebstrap is not installed",
  });
});
