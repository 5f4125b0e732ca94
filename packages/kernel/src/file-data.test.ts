import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  copyFileRange,
  fallocate,
  fdatasync,
  fsync,
  ftruncate,
  pread,
  punchHole,
  pwriteAll,
  read,
  seek,
  seekData,
  seekHole,
  syncfs,
  writeAll,
  writev,
} from "./file-data.ts";
import { fstat } from "./inode.ts";
import { CurrentDirectory, OpenFlag, openat } from "./open.ts";
import { temporaryDirectory } from "./testing.ts";

const MEBIBYTE = 1 << 20;
const create = OpenFlag.Create | OpenFlag.ReadWrite;

test("bytes in, bytes out, at positions beyond 4 GiB too", () => {
  using directory = temporaryDirectory();
  using file = openat(directory.fd, "f", create, 0o600);
  writeAll(file, Buffer.from("hello "));
  assert.equal(writev(file, [Buffer.from("wor"), Buffer.alloc(0), Buffer.from("ld")]), 5);
  assert.equal(readFileSync(join(directory.path, "f"), "utf8"), "hello world");
  const far = 5 * 2 ** 30;
  pwriteAll(file, Buffer.from("far"), far);
  const buffer = Buffer.alloc(8);
  assert.equal(pread(file, buffer, far), 3);
  assert.equal(fstat(file).size, far + 3);
  seek(file, far + 1);
  assert.equal(read(file, buffer), 2);
  assert.equal(read(file, buffer), 0);
});

test("holes are punched and found", () => {
  using directory = temporaryDirectory();
  using file = openat(directory.fd, "f", create, 0o600);
  fallocate(file, 0, 3 * MEBIBYTE);
  pwriteAll(file, Buffer.alloc(3 * MEBIBYTE, 1), 0);
  punchHole(file, MEBIBYTE, MEBIBYTE);
  assert.equal(seekHole(file, 0), MEBIBYTE);
  assert.equal(seekData(file, MEBIBYTE), 2 * MEBIBYTE);
  assert.equal(seekHole(file, 2 * MEBIBYTE), 3 * MEBIBYTE);
  ftruncate(file, 10 * MEBIBYTE);
  assert.equal(seekData(file, 4 * MEBIBYTE), undefined);
  assert.equal(seekHole(file, 11 * MEBIBYTE), undefined);
});

test("ranges are copied within the kernel", () => {
  using directory = temporaryDirectory();
  using source = openat(directory.fd, "a", create, 0o600);
  using target = openat(directory.fd, "b", create, 0o600);
  writeAll(source, Buffer.from("0123456789"));
  assert.equal(copyFileRange({ source, sourceOffset: 2, target, targetOffset: 0, length: 5 }), 5);
  assert.equal(copyFileRange({ source, sourceOffset: 10, target, length: 5 }), 0);
  assert.equal(readFileSync(join(directory.path, "b"), "utf8"), "23456");
});

test("data is made durable; a descriptor that cannot be synced is an error", () => {
  using directory = temporaryDirectory();
  using file = openat(directory.fd, "f", create, 0o600);
  fsync(file);
  fdatasync(file);
  using shm = openat(CurrentDirectory, "/dev/shm", OpenFlag.ReadOnly);
  syncfs(shm);
  using zero = openat(CurrentDirectory, "/dev/null", OpenFlag.ReadOnly);
  assert.throws(() => fsync(zero), { code: "EINVAL" });
});
