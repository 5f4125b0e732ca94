import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createUserNamespace } from "./held-namespace.ts";
import { mountIdMapped } from "./id-mapped-mount.ts";
import {
  bindMount,
  detachMount,
  ensureSharedMount,
  isMountPoint,
  MountFlag,
  mount,
  moveMount,
  setPropagation,
  unmount,
} from "./mount.ts";
import { detachMountsBelow, findMounts } from "./mountinfo.ts";
import { failOnLeaks, temporaryDirectory } from "./testing.ts";

failOnLeaks();

/** A directory with some empty directories in it. */
function workspace(...names: readonly string[]) {
  const directory = temporaryDirectory();
  const paths = names.map((name) => join(directory.path, name));
  for (const path of paths) mkdirSync(path);
  return {
    paths,
    root: directory.path,
    [Symbol.dispose]() {
      detachMountsBelow(directory.path);
      assert.deepEqual(findMounts(directory.path), []);
      directory[Symbol.dispose]();
    },
  };
}

const tmpfs = (target: string) => mount({ source: "test", target, type: "tmpfs", data: "size=1m" });

test("a filesystem is mounted and unmounted", () => {
  using space = workspace("a");
  const [a = ""] = space.paths;
  assert.equal(isMountPoint(a), false);
  tmpfs(a);
  assert.equal(isMountPoint(a), true);
  assert.deepEqual(
    findMounts(space.root).map(({ type, source }) => [type, source]),
    [["tmpfs", "test"]],
  );
  unmount(a);
  assert.equal(isMountPoint(a), false);
  assert.throws(() => unmount(a), { code: "EINVAL" });
});

test("options that the kernel would cut off are refused", () => {
  assert.throws(() => mount({ source: "x", target: "/nowhere", type: "tmpfs", data: "x".repeat(4096) }), {
    code: "E2BIG",
  });
});

test("a read-only bind mount leaves its source writable", () => {
  using space = workspace("a", "b");
  const [a = "", b = ""] = space.paths;
  writeFileSync(join(a, "f"), "1");
  bindMount({ source: a, target: b, readOnly: true, flags: MountFlag.NoSuid | MountFlag.NoDev });
  assert.throws(() => writeFileSync(join(b, "f"), "2"), { code: "EROFS" });
  writeFileSync(join(a, "f"), "2");
  assert.equal(readFileSync(join(b, "f"), "utf8"), "2");
  const options = findMounts(b)[0]?.options ?? [];
  assert.ok(
    ["ro", "nosuid", "nodev"].every((option) => options.includes(option)),
    options.join(),
  );
  assert.throws(() => bindMount({ source: "/no/such", target: b }), { code: "ENOENT" });
});

test("recursive binds take what is mounted below; detaching takes all of it away", () => {
  using space = workspace("a", "a/inner", "b", "c");
  const [a = "", inner = "", b = "", c = ""] = space.paths;
  tmpfs(inner);
  writeFileSync(join(inner, "f"), "");
  bindMount({ source: a, target: b });
  assert.equal(existsSync(join(b, "inner/f")), false);
  bindMount({ source: a, target: c, recursive: true });
  assert.equal(existsSync(join(c, "inner/f")), true);
  detachMount(c);
  assert.equal(findMounts(c).length, 0);
});

test("mounts move, and propagate to their peers", () => {
  using space = workspace("a", "b", "peer", "a-private");
  const [a = "", b = "", peer = "", own = ""] = space.paths;
  tmpfs(own);
  setPropagation(own, "private");
  moveMount(own, b);
  assert.ok(isMountPoint(b) && !isMountPoint(own));
  tmpfs(a);
  setPropagation(a, "shared");
  mkdirSync(join(a, "x"));
  bindMount({ source: a, target: peer });
  tmpfs(join(a, "x"));
  assert.ok(isMountPoint(join(peer, "x")));
});

test("ensureSharedMount is idempotent", () => {
  using space = workspace("a");
  const [a = ""] = space.paths;
  ensureSharedMount(a);
  const first = findMounts(a);
  assert.equal(first.length, 1);
  assert.notEqual(first[0]?.shared, undefined);
  ensureSharedMount(a);
  assert.deepEqual(findMounts(a), first);
});

test("a mount with other ids below its own source is not mounted in itself, and follows only where it is to", async () => {
  using space = workspace("place", "later", "follower");
  const [place = "", later = "", follower = ""] = space.paths;
  ensureSharedMount(space.root);
  const ids = [{ inside: 0, outside: 100_000, count: 10 }];
  using users = await createUserNamespace({ uids: ids, gids: ids });
  const request = { source: space.root, userNamespace: `/proc/self/fd/${users.number}` };
  writeFileSync(join(later, "seen"), "");
  mountIdMapped({ ...request, target: place, readOnly: true });
  mountIdMapped({ ...request, target: follower, follows: true });
  mount({ source: "later", target: later, type: "tmpfs" });
  const below = findMounts(space.root).map(({ mountPoint }) => mountPoint.slice(space.root.length));
  assert.deepEqual(below.sort(), ["", "/follower", "/follower/later", "/later", "/place"]);
  assert.deepEqual([existsSync(join(place, "later/seen")), existsSync(join(follower, "later/seen"))], [true, false]);
  assert.equal(statSync(join(place, "later")).uid, 100_000);
  assert.throws(() => writeFileSync(join(place, "new"), ""), { code: "EROFS" });
});
