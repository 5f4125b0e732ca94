import assert from "node:assert/strict";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { OpenFlag, openat } from "./open.ts";
import { temporaryDirectory } from "./testing.ts";
import {
  fgetxattr,
  flistxattr,
  fremovexattr,
  fsetxattr,
  lgetxattr,
  llistxattr,
  lremovexattr,
  lsetxattr,
  XattrFlag,
} from "./xattr.ts";

test("values are bytes: binary ones come back unchanged", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "f");
  writeFileSync(path, "");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (value) => {
      lsetxattr(path, "user.v", value);
      assert.deepEqual(lgetxattr(path, "user.v"), Buffer.from(value));
    }),
  );
  const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
  lsetxattr(path, "security.capability", capability);
  assert.deepEqual(lgetxattr(path, "security.capability"), capability);
});

test("names are listed; an absent one is undefined, and removing it is an error", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "f");
  writeFileSync(path, "");
  assert.deepEqual(llistxattr(path), []);
  lsetxattr(path, "user.a", Buffer.from("1"));
  lsetxattr(path, "user.b", Buffer.alloc(0));
  assert.deepEqual(llistxattr(path).sort(), ["user.a", "user.b"]);
  assert.throws(() => lsetxattr(path, "user.a", Buffer.of(2), XattrFlag.Create), { code: "EEXIST" });
  lremovexattr(path, "user.a");
  assert.equal(lgetxattr(path, "user.a"), undefined);
  assert.throws(() => lremovexattr(path, "user.a"), { code: "ENODATA" });
});

test("a symbolic link has attributes of its own, by path and by O_PATH descriptor", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "l");
  symlinkSync("/etc/passwd", path);
  // user.* is not allowed on links; trusted.* needs CAP_SYS_ADMIN.
  lsetxattr(path, "trusted.own", Buffer.of(0xff, 0));
  using link = openat(directory.fd, "l", OpenFlag.Path | OpenFlag.NoFollow);
  assert.deepEqual(fgetxattr(link, "trusted.own"), Buffer.of(0xff, 0));
  fsetxattr(link, "trusted.own", Buffer.of(1));
  assert.deepEqual(lgetxattr(path, "trusted.own"), Buffer.of(1));
  assert.ok(flistxattr(link).includes("trusted.own"));
  fremovexattr(link, "trusted.own");
  assert.equal(lgetxattr(path, "trusted.own"), undefined);
});

test("descriptors: reading, writing, and many names", () => {
  using directory = temporaryDirectory();
  using file = openat(directory.fd, "f", OpenFlag.Create | OpenFlag.ReadWrite, 0o600);
  const names = Array.from({ length: 40 }, (_, index) => `user.${"n".repeat(20)}${index}`);
  for (const name of names) fsetxattr(file, name, Buffer.from(name));
  assert.deepEqual(flistxattr(file).sort(), names.toSorted());
  assert.equal(fgetxattr(file, "user.absent"), undefined);
  assert.equal(String(fgetxattr(file, names[3] ?? "")), names[3]);
});
