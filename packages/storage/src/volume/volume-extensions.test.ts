import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isMountPoint, lgetxattr, lsetxattr, mount, releaseMountsBelow } from "@boxship/kernel";
import { VolumeStore } from "./volume-store.ts";

interface Sandbox extends AsyncDisposable {
  readonly path: string;
  readonly root: string;
}

function sandbox(): Sandbox {
  const path = mkdtempSync(join(tmpdir(), "boxship-volumes-"));
  return {
    path,
    root: join(path, "volumes"),
    [Symbol.asyncDispose]: async () => {
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** Something of every kind. */
function fill(directory: string): void {
  writeFileSync(join(directory, "file"), "one");
  linkSync(join(directory, "file"), join(directory, "hard"));
  symlinkSync("file", join(directory, "soft"));
  mkdirSync(join(directory, "sub"));
  writeFileSync(join(directory, "sub/program"), "#!/bin/sh", { mode: 0o4755 });
  chownSync(join(directory, "sub"), 1000, 2000);
  lsetxattr(join(directory, "sub"), "user.note", Buffer.from([0xff, 0x00, 0x01]));
  chownSync(directory, 70, 71);
  chmodSync(directory, 0o2750);
}

function check(directory: string): void {
  const root = statSync(directory);
  assert.deepEqual([root.uid, root.gid, root.mode & 0o7777], [70, 71, 0o2750]);
  assert.equal(readFileSync(join(directory, "soft"), "utf8"), "one");
  assert.equal(statSync(join(directory, "file")).ino, statSync(join(directory, "hard")).ino);
  const sub = statSync(join(directory, "sub"));
  assert.deepEqual([sub.uid, sub.gid], [1000, 2000]);
  assert.deepEqual(lgetxattr(join(directory, "sub"), "user.note"), Buffer.from([0xff, 0x00, 0x01]));
  assert.equal(statSync(join(directory, "sub/program")).mode & 0o7777, 0o4755);
}

test("a clone has everything and is independent; bad requests make nothing", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  const { mountpoint } = await store.create({ name: "source", labels: { a: "b" } });
  fill(mountpoint);
  const copy = await store.clone("source", { name: "copy", labels: { c: "d" } });
  check(copy.mountpoint);
  assert.deepEqual(copy.labels, { c: "d" });
  writeFileSync(join(copy.mountpoint, "file"), "two");
  check(mountpoint);
  await assert.rejects(store.clone("source", { name: "copy" }), { code: "AlreadyExists" });
  await assert.rejects(store.clone("nope", { name: "other" }), { code: "NotFound" });
  await assert.rejects(store.clone("source", { name: "../other" }), { code: "InvalidArgument" });
  await assert.rejects(store.clone("source", { name: "other" }, "nope"), { code: "NotFound" });
  const failing = store.createFilled({ name: "other" }, async (directory) => {
    writeFileSync(join(directory, "half"), "");
    throw new Error("cut off");
  });
  await assert.rejects(failing, /cut off/);
  assert.deepEqual(
    store
      .list()
      .map(({ name }) => name)
      .sort(),
    ["copy", "source"],
  );
  await store[Symbol.asyncDispose]();
  const again = await VolumeStore.open({ root: box.root });
  assert.deepEqual(
    again
      .list()
      .map(({ name }) => name)
      .sort(),
    ["copy", "source"],
  );
  check(again.get("source").mountpoint);
});

test("snapshots: made, listed, restored, cloned, removed; a volume that has some is not removed unawares", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  const { mountpoint } = await store.create({ name: "data" });
  fill(mountpoint);
  await store.snapshot("data", "first");
  writeFileSync(join(mountpoint, "file"), "changed");
  writeFileSync(join(mountpoint, "new"), "x".repeat(10_000));
  await store.snapshot("data", "second");
  const listed = await store.snapshots("data");
  assert.deepEqual(
    listed.map(({ name }) => name),
    ["first", "second"],
  );
  assert.ok((listed[1]?.size ?? 0) > (listed[0]?.size ?? 0));

  await store.mount("data", "c1");
  await assert.rejects(store.restoreSnapshot("data", "first"), { code: "Conflict", message: /in use by c1/ });
  await store.unmount("data", "c1");
  await store.restoreSnapshot("data", "first");
  check(mountpoint);
  assert.equal(existsSync(join(mountpoint, "new")), false);
  const copy = await store.clone("data", { name: "copy" }, "second");
  assert.equal(readFileSync(join(copy.mountpoint, "new"), "utf8").length, 10_000);

  await assert.rejects(store.snapshot("data", "first"), { code: "Conflict" });
  for (const bad of ["..", "../copy", "a/b", ""]) {
    await assert.rejects(store.snapshot("data", bad), { code: "InvalidArgument" });
    await assert.rejects(store.restoreSnapshot("data", bad), { code: "NotFound" });
    await assert.rejects(store.removeSnapshot("data", bad), { code: "NotFound" });
  }
  await assert.rejects(store.remove("data"), { code: "Conflict", message: /has snapshots: first, second/ });
  await store.removeSnapshot("data", "first");
  await assert.rejects(store.removeSnapshot("data", "first"), { code: "NotFound" });
  assert.deepEqual(
    (await store.snapshots("data")).map(({ name }) => name),
    ["second"],
  );
  await store.remove("data", { force: true });
  await store[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(box.root).sort(), [".stages", ".trash", "copy"]);
});

test("a volume with a device is mounted for its copy, and for no longer", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  const outside = join(box.path, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "file"), "there");
  const { mountpoint } = await store.create({ name: "bound", options: { type: "none", o: "bind", device: outside } });
  const copy = await store.clone("bound", { name: "copy" });
  assert.equal(readFileSync(join(copy.mountpoint, "file"), "utf8"), "there");
  await store.snapshot("bound", "snap");
  await assert.rejects(store.restoreSnapshot("bound", "snap"), { code: "Unsupported" });
  assert.equal(isMountPoint(mountpoint), false);
});

test("renaming keeps everything; refused while used, and for names that are taken or none", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  const { mountpoint, created } = await store.create({ name: "old", labels: { a: "b" } });
  fill(mountpoint);
  await store.snapshot("old", "snap");
  await store.create({ name: "taken" });
  await assert.rejects(store.rename("old", "taken"), { code: "AlreadyExists" });
  await assert.rejects(store.rename("old", "a/b"), { code: "InvalidArgument" });
  await assert.rejects(store.rename("nope", "new"), { code: "NotFound" });
  await store.mount("old", "c1");
  await assert.rejects(store.rename("old", "new"), { code: "Conflict" });
  await store.unmount("old", "c1");
  await store.rename("old", "old");
  // Two at once in opposite directions end, one with an error.
  const results = await Promise.allSettled([store.rename("old", "taken"), store.rename("taken", "old")]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  await store.rename("old", "new");
  const renamed = store.get("new");
  check(renamed.mountpoint);
  assert.deepEqual([renamed.labels, renamed.created], [{ a: "b" }, created]);
  const again = await VolumeStore.open({ root: box.root });
  assert.deepEqual(
    again
      .list()
      .map(({ name }) => name)
      .sort(),
    ["new", "taken"],
  );
  assert.deepEqual(
    (await again.snapshots("new")).map(({ name }) => name),
    ["snap"],
  );
});

test("a restore that was cut off at any step leaves the old content or the new one", async () => {
  const steps: readonly ((directory: string) => void)[] = [
    (directory) => {
      mkdirSync(join(directory, "_data.next"));
      writeFileSync(join(directory, "_data.next/file"), "new");
    },
    (directory) => renameSync(join(directory, "_data"), join(directory, "_data.last")),
    (directory) => renameSync(join(directory, "_data.next"), join(directory, "_data")),
  ];
  for (let cut = 1; cut <= steps.length; cut++) {
    await using box = sandbox();
    const store = await VolumeStore.open({ root: box.root });
    const { mountpoint } = await store.create({ name: "data" });
    writeFileSync(join(mountpoint, "file"), "old");
    for (const step of steps.slice(0, cut)) step(join(box.root, "data"));
    const again = await VolumeStore.open({ root: box.root });
    assert.equal(readFileSync(join(mountpoint, "file"), "utf8"), cut === 1 ? "old" : "new");
    await again[Symbol.asyncDispose]();
    assert.deepEqual(readdirSync(join(box.root, "data")).sort(), ["_data", "snapshots", "users", "volume.json"]);
  }
});

const CHILD = new URL("./volume-store.test-child.ts", import.meta.url).pathname;

test("kill -9 at any moment: what there is is whole, and nothing is left over", { timeout: 60_000 }, async () => {
  await using box = sandbox();
  {
    await using store = await VolumeStore.open({ root: box.root });
    const { mountpoint } = await store.create({ name: "data" });
    fill(mountpoint);
    for (let n = 0; n < 200; n++) writeFileSync(join(mountpoint, `many-${n}`), `${n}`);
  }
  for (let round = 0; round < 8; round++) {
    const flags = ["--disable-warning=ExperimentalWarning", CHILD, box.root];
    const child = spawn(process.execPath, flags, { stdio: ["ignore", "inherit", "inherit"] });
    await delay(350 + Math.random() * 250);
    child.kill("SIGKILL");
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    assert.deepEqual([code, signal], [null, "SIGKILL"]);
    await using store = await VolumeStore.open({ root: box.root });
    await store.reconcile([]);
    for (const { name, mountpoint } of store.list()) {
      check(mountpoint);
      assert.equal(readdirSync(mountpoint).filter((file) => file.startsWith("many-")).length, 200, name);
      for (const snapshot of await store.snapshots(name)) await store.removeSnapshot(name, snapshot.name);
      if (name !== "data") await store.remove(name);
    }
    assert.deepEqual(
      store.list().map(({ name }) => name),
      ["data"],
    );
    assert.deepEqual(readdirSync(join(box.root, ".stages")), []);
  }
});

test("a full disk: the error says so, and nothing half-made stays", async () => {
  await using box = sandbox();
  mkdirSync(box.root);
  mount({ source: "boxship-test", target: box.root, type: "tmpfs", data: "size=4m" });
  try {
    const store = await VolumeStore.open({ root: box.root });
    const { mountpoint } = await store.create({ name: "data" });
    writeFileSync(join(mountpoint, "large"), Buffer.alloc(2_500_000, 1));
    for (const work of [() => store.clone("data", { name: "copy" }), () => store.snapshot("data", "snap")]) {
      await assert.rejects(work(), { code: "ResourceExhausted" });
    }
    assert.deepEqual(await store.snapshots("data"), []);
    assert.deepEqual(
      store.list().map(({ name }) => name),
      ["data"],
    );
    await store[Symbol.asyncDispose]();
    assert.deepEqual(readdirSync(join(box.root, ".stages")), []);
    assert.equal(statSync(join(mountpoint, "large")).size, 2_500_000);
  } finally {
    await releaseMountsBelow(box.root);
  }
  await rm(box.root, { recursive: true });
});
