import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  AtFlag,
  FileType,
  linkat,
  makeDevice,
  mkdirat,
  mknodat,
  RenameFlag,
  readlinkat,
  renameat2,
  symlinkat,
  unlinkat,
} from "./directory-entry.ts";
import { statx } from "./inode.ts";
import { OpenFlag, openat } from "./open.ts";
import { temporaryDirectory } from "./testing.ts";

test("directories are made and removed", () => {
  using directory = temporaryDirectory();
  mkdirat(directory.fd, "d", 0o755);
  assert.throws(() => mkdirat(directory.fd, "d", 0o755), { code: "EEXIST" });
  assert.throws(() => unlinkat(directory.fd, "d"), { code: "EISDIR" });
  unlinkat(directory.fd, "d", AtFlag.RemoveDirectory);
  assert.throws(() => statx(directory.fd, "d"), { code: "ENOENT" });
});

test("device numbers keep their major and minor, large ones too", () => {
  using directory = temporaryDirectory();
  const numbers = [
    [1, 3],
    [254, 65535],
    [4095, 1048575],
  ] as const;
  numbers.forEach(([major, minor], index) => {
    mknodat(directory.fd, `dev${index}`, FileType.Character | 0o600, makeDevice(major, minor));
    assert.deepEqual(statx(directory.fd, `dev${index}`).rdev, { major, minor });
  });
  mknodat(directory.fd, "fifo", FileType.Fifo | 0o600);
  assert.equal(statx(directory.fd, "fifo").mode & FileType.Mask, FileType.Fifo);
});

test("link targets are bytes, as long as PATH_MAX allows", () => {
  using directory = temporaryDirectory();
  const target = Buffer.from([0x2f, 0xff, 0x00 + 1, 0xc3]);
  symlinkat(target, directory.fd, "bytes");
  assert.deepEqual(readlinkat(directory.fd, "bytes"), target);
  symlinkat("x".repeat(4000), directory.fd, "long");
  assert.equal(readlinkat(directory.fd, "long").length, 4000);
  using link = openat(directory.fd, "long", OpenFlag.Path | OpenFlag.NoFollow);
  assert.equal(readlinkat(link, "").length, 4000);
});

test("hard links by name and by descriptor", () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "a"), "content");
  linkat(directory.fd, "a", directory.fd, "b");
  using file = openat(directory.fd, "a", OpenFlag.Path);
  linkat(file, "", directory.fd, "c", AtFlag.EmptyPath);
  assert.equal(statx(directory.fd, "c").links, 3);
});

test("renames refuse to replace, or exchange", () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "a"), "1");
  writeFileSync(join(directory.path, "b"), "2");
  assert.throws(() => renameat2(directory.fd, "a", directory.fd, "b", RenameFlag.NoReplace), { code: "EEXIST" });
  renameat2(directory.fd, "a", directory.fd, "b", RenameFlag.Exchange);
  assert.equal(readFileSync(join(directory.path, "a"), "utf8"), "2");
  renameat2(directory.fd, "a", directory.fd, "b");
  assert.equal(readFileSync(join(directory.path, "b"), "utf8"), "2");
});
