import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { detachMountsBelow, isMountPoint, lgetxattr, lsetxattr } from "@boxship/kernel";
import { endStorageWorkers } from "../storage-pool.ts";
import { VolumeStore } from "./volume-store.ts";

after(endStorageWorkers);

function sandbox() {
  const path = mkdtempSync(join(tmpdir(), "boxship-volumes-"));
  // Not in one piece: that ends early, silently, where a volume's removal empties the same directory.
  const dispose = async () => {
    detachMountsBelow(path);
    await rm(path, { recursive: true, force: true });
  };
  return { path, root: join(path, "volumes"), [Symbol.asyncDispose]: dispose };
}

test("nobody but root gets at what volumes hold: a set-user-ID program of a container's root would be theirs to run", async () => {
  await using box = sandbox();
  mkdirSync(box.root, { mode: 0o711 });
  const store = await VolumeStore.open({ root: box.root });
  const { mountpoint } = await store.create({ name: "data" });
  assert.equal(statSync(box.root).mode & 0o007, 0);
  assert.equal(statSync(dirname(mountpoint)).mode & 0o007, 0);
});

test("volumes are made once, listed, used and removed, and survive the process", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  const data = await store.create({ name: "data", labels: { a: "b" } });
  assert.equal((await store.create({ name: "data" })).created, data.created);
  const anonymous = await store.create({});
  assert.match(anonymous.name, /^[0-9a-f]{64}$/);
  assert.equal(await store.mount("data", "c1"), data.mountpoint);
  await store.mount("data", "c2");
  writeFileSync(join(data.mountpoint, "f"), "x");
  await assert.rejects(store.remove("data"), { code: "Conflict", message: "volume data is in use by c1, c2" });

  const again = await VolumeStore.open({ root: box.root });
  assert.deepEqual(again.get("data"), data);
  await assert.rejects(again.remove("data"), { code: "Conflict" });
  await again.reconcile(["c2"]);
  await again.unmount("data", "c2");
  await again.unmount("data", "c2");
  assert.deepEqual(await again.usage("data"), { size: 4096, inodes: 1 });
  await again.remove("data");
  await assert.rejects(again.remove("data"), { code: "NotFound", message: "get data: no such volume" });
  await again.remove(anonymous.name);
  await again[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(box.root).toSorted(), [".stages", ".trash"]);
  assert.deepEqual(readdirSync(join(box.root, ".trash")), []);
});

test("bad names, drivers and options are refused by name", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  for (const name of ["a", ".hidden", "a/b", "../x", "é1", ""]) {
    await assert.rejects(store.create({ name }), {
      code: "InvalidArgument",
      message: /invalid characters for a local volume name|too short|at most/,
    });
  }
  await assert.rejects(store.create({ name: "xx", driver: "nfs" }), {
    code: "NotFound",
    message: /driver "nfs" not found/,
  });
  const refused = (options: Record<string, string>, expected: object) =>
    assert.rejects(store.create({ name: "xx", options }), expected);
  await refused({ foo: "1" }, { code: "InvalidArgument", message: /invalid option: "foo"/ });
  await refused({ type: "nfs" }, { code: "InvalidArgument", message: /missing required option: "device"/ });
  await refused({ size: "1g", type: "tmpfs" }, { code: "InvalidArgument" });
  for (const size of ["", "1k", "many", "-1", "99999t"]) await refused({ size }, { code: "InvalidArgument" });
  await refused({ type: "none", device: "relative", o: "bind" }, { message: /not an absolute path/ });
  await store.create({ name: "xx", options: { type: "tmpfs", device: "tmpfs" } });
  await refused({ type: "tmpfs", device: "other" }, { code: "Conflict", message: /exists with other options/ });
});

test("devices are mounted while somebody uses them", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  const options = { type: "tmpfs", device: "tmpfs", o: "size=1m,uid=1000,nosuid,noexec" };
  const { mountpoint } = await store.create({ name: "memory", options });
  assert.equal(isMountPoint(mountpoint), false);
  await store.mount("memory", "c1");
  await store.mount("memory", "c2");
  assert.equal(statSync(mountpoint).uid, 1000);
  writeFileSync(join(mountpoint, "f"), "x");
  await store.unmount("memory", "c1");
  assert.ok(existsSync(join(mountpoint, "f")));

  const again = await VolumeStore.open({ root: box.root });
  await again.reconcile(["c2"]);
  assert.equal(isMountPoint(mountpoint), true);
  await again.reconcile([]);
  assert.equal(isMountPoint(mountpoint), false);

  const host = join(box.path, "host");
  mkdirSync(host);
  await again.create({ name: "bound", options: { type: "none", device: host, o: "bind,ro" } });
  const bound = await again.mount("bound", "c1");
  assert.throws(() => writeFileSync(join(bound, "f"), ""), { code: "EROFS" });
  await again.unmount("bound", "c1");

  await again.create({ name: "absent", options: { type: "none", device: join(host, "no"), o: "bind" } });
  await assert.rejects(again.mount("absent", "c1"), {
    code: "FailedPrecondition",
    message: /error while mounting volume .*: failed to mount local volume: mount .*, flags: 0x1000: no such file/,
  });
  await again.remove("absent");
});

test("a file system that the kernel does not have is named, and NFS gets the address of its server", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  await store.create({ name: "unknown", options: { type: "nosuchfs", device: "x" } });
  await assert.rejects(store.mount("unknown", "c1"), {
    code: "FailedPrecondition",
    message: /failed to mount local volume: mount x:.*: no such device$/,
    remedy: 'this kernel has no file system "nosuchfs": load its module, or use another type',
  });
  await store.create({
    name: "shared",
    options: { type: "nfs", device: ":/export", o: "addr=localhost,rw,nfsvers=4" },
  });
  // Whether the kernel has NFS or not, the server was not reached by its name, which the kernel does not take.
  await assert.rejects(store.mount("shared", "c1"), {
    code: "FailedPrecondition",
    message: /mount :\/export:.*, data: addr=(127\.0\.0\.1|::1),nfsvers=4: /,
  });
  await store.remove("unknown");
  await store.remove("shared");
});

test("an empty volume takes over what the image has, once", async () => {
  await using box = sandbox();
  const store = await VolumeStore.open({ root: box.root });
  const rootfs = join(box.path, "rootfs");
  const source = join(rootfs, "var/lib/data");
  mkdirSync(join(source, "sub"), { recursive: true });
  writeFileSync(join(source, "file"), "content", { mode: 0o640 });
  chownSync(join(source, "file"), 33, 44);
  chmodSync(join(source, "file"), 0o4750);
  lsetxattr(join(source, "file"), "user.binary", Buffer.from("00ff00", "hex"));
  linkSync(join(source, "file"), join(source, "sub/hard"));
  symlinkSync("/etc/passwd", join(source, "sub/soft"));
  truncateSync(join(source, "file"), 16 << 20);
  utimesSync(join(source, "sub"), 100, 200);
  chownSync(source, 5, 6);
  chmodSync(source, 0o1770);
  utimesSync(source, 100, 300);
  symlinkSync("/var/lib/data", join(rootfs, "link"));
  const { mountpoint } = await store.create({ name: "data" });

  assert.equal(await store.copyUp("data", rootfs, "/absent"), false);
  assert.equal(await store.copyUp("data", rootfs, "/link"), true);
  const file = statSync(join(mountpoint, "file"));
  assert.deepEqual([file.mode & 0o7777, file.uid, file.gid, file.size, file.nlink], [0o4750, 33, 44, 16 << 20, 2]);
  assert.ok(file.blocks * 512 < 1 << 20, "holes are kept");
  assert.equal(readFileSync(join(mountpoint, "file")).subarray(0, 7).toString(), "content");
  assert.equal(lgetxattr(join(mountpoint, "file"), "user.binary")?.toString("hex"), "00ff00");
  assert.equal(statSync(join(mountpoint, "sub/hard")).ino, file.ino);
  assert.equal(statSync(join(mountpoint, "sub")).mtimeMs, 200_000);
  const root = statSync(mountpoint);
  assert.deepEqual([root.mode & 0o7777, root.uid, root.gid, root.mtimeMs], [0o1770, 5, 6, 300_000]);
  assert.equal(await store.copyUp("data", rootfs, "/var/lib/data"), false);
});

test("a copy that a crash cut short is undone", async () => {
  await using box = sandbox();
  const { mountpoint } = await (await VolumeStore.open({ root: box.root })).create({ name: "data" });
  writeFileSync(join(mountpoint, "half"), "");
  writeFileSync(join(mountpoint, "../filling"), "");
  await VolumeStore.open({ root: box.root });
  assert.deepEqual(readdirSync(mountpoint), []);
  assert.equal(existsSync(join(mountpoint, "../filling")), false);
});
