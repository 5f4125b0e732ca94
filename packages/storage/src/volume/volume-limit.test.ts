import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isMountPoint, mount, releaseMountsBelow } from "@boxship/kernel";
import { parseLimit } from "../image/filesystem-image.ts";
import { VolumeStore } from "./volume-store.ts";

interface Sandbox extends AsyncDisposable {
  readonly path: string;
  readonly root: string;
}

function sandbox(): Sandbox {
  const path = mkdtempSync(join(tmpdir(), "boxship-limits-"));
  return {
    path,
    root: join(path, "volumes"),
    [Symbol.asyncDispose]: async () => {
      // Threads in the background do not keep a process alive that has nothing else to do.
      const waiting = setInterval(() => {}, 1000);
      await releaseMountsBelow(path);
      clearInterval(waiting);
      await rm(path, { recursive: true, force: true });
    },
  };
}

const megabytes = (count: number) => Buffer.alloc(count << 20, 1);

test("limits are read with binary units, and have bounds", () => {
  assert.equal(parseLimit("64m"), 64 << 20);
  assert.equal(parseLimit("1.5GiB"), 1.5 * 2 ** 30);
  assert.equal(parseLimit(String((8 << 20) + 5)), 8 << 20);
  for (const bad of ["", "m", "7m", "-8m", "8mm", "20t", "1e9"]) {
    assert.throws(() => parseLimit(bad), { code: "InvalidArgument" }, bad);
  }
});

test("a volume with a limit is empty, cannot hold more, and takes what is in it", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  const { mountpoint } = await store.create({ name: "small", options: { size: "16m" } });
  assert.equal(isMountPoint(mountpoint), false);
  const before = (await store.usage("small")).size;
  assert.ok(before < 4 << 20, `${before} bytes`);
  await store.mount("small", "c1");
  assert.deepEqual(readdirSync(mountpoint), []);
  assert.ok(statfsSync(mountpoint).blocks * 4096 <= 16 << 20);
  writeFileSync(join(mountpoint, "fits"), megabytes(5));
  assert.throws(() => writeFileSync(join(mountpoint, "not"), megabytes(16)), { code: "ENOSPC" });
  rmSync(join(mountpoint, "not"));
  await store.unmount("small", "c1");
  assert.equal(isMountPoint(mountpoint), false);
  assert.ok((await store.usage("small")).size > before + (4 << 20));
  const again = await VolumeStore.open({ root: box.root });
  await again.mount("small", "c2");
  assert.deepEqual(readFileSync(join(mountpoint, "fits")), megabytes(5));
  await again.reconcile([]);
  assert.equal(isMountPoint(mountpoint), false);
  await again.snapshot("small", "snap");
  assert.deepEqual(
    readFileSync(join((await again.clone("small", { name: "copy" }, "snap")).mountpoint, "fits")),
    megabytes(5),
  );
  await again.rename("small", "renamed");
  const moved = await again.mount("renamed", "c3");
  assert.equal(statSync(join(moved, "fits")).size, 5 << 20);
  await again.unmount("renamed", "c3");
  await again.remove("renamed", { force: true });
});

test("a limit grows, is not lowered, and not given to devices", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  const { mountpoint } = await store.create({ name: "grows", options: { size: "8m" } });
  await store.mount("grows", "c1");
  writeFileSync(join(mountpoint, "file"), "kept");
  // Growing while it is mounted needs a capability that hosts may deny; then it says so.
  const online = await store.limit("grows", "32m").catch((error: unknown) => error);
  if (online instanceof Error) assert.match(online.message, /cannot grow here while it is used/);
  await store.unmount("grows", "c1");
  await store.limit("grows", "64m");
  assert.deepEqual(store.get("grows").options, { size: String(64 << 20) });
  await store.mount("grows", "c1");
  writeFileSync(join(mountpoint, "large"), megabytes(40));
  assert.equal(readFileSync(join(mountpoint, "file"), "utf8"), "kept");
  await store.unmount("grows", "c1");
  await assert.rejects(store.limit("grows", "32m"), { code: "Unsupported", message: /cannot be lowered/ });
  await store.create({ name: "tmp", options: { type: "tmpfs", device: "tmpfs" } });
  await assert.rejects(store.limit("tmp", "32m"), { code: "Unsupported" });
  await assert.rejects(store.limit("absent", "32m"), { code: "NotFound" });
  await assert.rejects(store.limit("grows", "none"), { code: "InvalidArgument" });
});

test("a plain volume moves into its limit with everything, or stays as it is", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  const { mountpoint } = await store.create({ name: "plain", labels: { a: "b" } });
  writeFileSync(join(mountpoint, "file"), megabytes(12));
  chownSync(mountpoint, 70, 71);
  chmodSync(mountpoint, 0o1770);
  await assert.rejects(store.limit("plain", "10m"), { code: "ResourceExhausted" });
  assert.equal(statSync(join(mountpoint, "file")).size, 12 << 20);
  await store.mount("plain", "c1");
  await assert.rejects(store.limit("plain", "32m"), { code: "Conflict" });
  await store.unmount("plain", "c1");
  await store.limit("plain", "32m");
  await store.mount("plain", "c1");
  const root = statSync(mountpoint);
  assert.deepEqual([root.uid, root.gid, root.mode & 0o7777], [70, 71, 0o1770]);
  assert.deepEqual(readdirSync(mountpoint), ["file"]);
  await store.unmount("plain", "c1");
  assert.deepEqual(readdirSync(mountpoint), []);
  assert.deepEqual(store.get("plain").labels, { a: "b" });
  await store[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(join(box.root, "plain")).sort(), [
    "_data",
    "image",
    "snapshots",
    "users",
    "volume.json",
  ]);
});

test("a disk that is full of other things: no volume, and nothing left", async () => {
  await using box = sandbox();
  mkdirSync(box.root);
  mount({ source: "boxship-test", target: box.root, type: "tmpfs", data: "size=4m" });
  const store = await VolumeStore.open({ root: box.root });
  const { mountpoint } = await store.create({ name: "other" });
  writeFileSync(join(mountpoint, "room"), Buffer.alloc(60_000, 1));
  assert.throws(() => writeFileSync(join(mountpoint, "large"), megabytes(4)), { code: "ENOSPC" });
  rmSync(join(mountpoint, "room"));
  await assert.rejects(store.create({ name: "small", options: { size: "64m" } }));
  await store[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(box.root).sort(), [".stages", ".trash", "other"]);
  assert.deepEqual(readdirSync(join(box.root, ".stages")), []);
});

const CHILD = new URL("./volume-limit.test-child.ts", import.meta.url).pathname;

test("kill -9 while limits are given and grow: the content is there, and no mount stays", {
  timeout: 60_000,
}, async () => {
  await using box = sandbox();
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CHILD, box.root], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    await delay(300 + Math.random() * 500);
    child.kill("SIGKILL");
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    assert.deepEqual([code, signal], [null, "SIGKILL"]);
    await using store = await VolumeStore.open({ root: box.root });
    await store.reconcile([]);
    for (const { name } of store.list()) {
      const directory = await store.mount(name, "c1");
      assert.equal(readFileSync(join(directory, "file"), "utf8"), "kept", name);
      await store.unmount(name, "c1");
      await store.remove(name);
    }
    assert.equal(existsSync(join(box.root, ".stages")), true);
    assert.deepEqual(readdirSync(join(box.root, ".stages")), []);
  }
});
