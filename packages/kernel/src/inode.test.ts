import assert from "node:assert/strict";
import { statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { fchmod, fchmodat, fchownat, fstat, futimens, statx, utimensat } from "./inode.ts";
import { OpenFlag, openat } from "./open.ts";
import { temporaryDirectory } from "./testing.ts";

test("owner and mode, of links themselves and through O_PATH", () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "f"), "");
  symlinkSync("f", join(directory.path, "l"));
  // Larger than 2^21, which the octal field of a tar header does not hold.
  fchownat(directory.fd, "l", 3_000_000, 4_000_000);
  assert.deepEqual(statx(directory.fd, "f").uid, 0);
  const { uid, gid } = statx(directory.fd, "l");
  assert.deepEqual({ uid, gid }, { uid: 3_000_000, gid: 4_000_000 });
  fchmodat(directory.fd, "f", 0o4755);
  assert.equal(statx(directory.fd, "f").mode & 0o7777, 0o4755);
  using place = openat(directory.fd, "f", OpenFlag.Path);
  fchmod(place, 0o640);
  assert.equal(fstat(place).mode & 0o7777, 0o640);
});

test("times keep their nanoseconds, before the epoch too", () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "f"), "");
  symlinkSync("nowhere", join(directory.path, "l"));
  // ext4 keeps -2^31 .. 2^34 seconds or so.
  const time = fc.bigInt({ min: -2_000_000_000_000_000_000n, max: 10_000_000_000_000_000_000n });
  fc.assert(
    fc.property(time, fc.constantFrom("f", "l"), (mtime, name) => {
      utimensat(directory.fd, name, { mtime });
      assert.equal(statx(directory.fd, name).mtime, mtime);
    }),
  );
  const before = statx(directory.fd, "f").mtime;
  using file = openat(directory.fd, "f", OpenFlag.ReadOnly);
  futimens(file, { atime: 5n });
  assert.deepEqual([fstat(file).atime, fstat(file).mtime], [5n, before]);
  futimens(file, { mtime: "now" });
  assert.ok(Math.abs(Number(fstat(file).mtime / 1_000_000n) - Date.now()) < 60_000);
});

test("statx agrees with Node", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "f");
  writeFileSync(path, Buffer.alloc(10_000));
  const expected = statSync(path, { bigint: true });
  const actual = statx(directory.fd, "f");
  assert.equal(actual.inode, expected.ino);
  assert.equal(BigInt(actual.size), expected.size);
  assert.equal(BigInt(actual.blocks), expected.blocks);
  assert.equal(BigInt(actual.mode), expected.mode);
  assert.equal(actual.mtime, expected.mtimeNs);
  assert.equal(actual.ctime, expected.ctimeNs);
  assert.equal(actual.links, 1);
  assert.deepEqual(statx(directory.fd, "/dev/null").rdev, { major: 1, minor: 3 });
});
