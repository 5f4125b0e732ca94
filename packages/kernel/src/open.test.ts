import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readlinkSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { symlinkat } from "./directory-entry.ts";
import { descriptorPath } from "./fd.ts";
import { read, writeAll } from "./file-data.ts";
import { CurrentDirectory, OpenFlag, openat, openat2, openInRoot, pathText, ResolveFlag } from "./open.ts";
import { temporaryDirectory } from "./testing.ts";

const create = OpenFlag.Create | OpenFlag.Exclusive | OpenFlag.WriteOnly;

test("openat creates, writes and reads files whose names are not UTF-8", () => {
  using directory = temporaryDirectory();
  const name = Buffer.from([0x66, 0xff, 0xfe, 0x6f]);
  {
    using file = openat(directory.fd, name, create, 0o600);
    writeAll(file, Buffer.from("bytes"));
  }
  using file = openat(directory.fd, name, OpenFlag.ReadOnly);
  const buffer = Buffer.alloc(10);
  assert.equal(read(file, buffer), 5);
  assert.equal(pathText(name), '"fÿþo"');
});

test("errors carry the code and the path; a NUL in a path is refused", () => {
  assert.throws(() => openat(CurrentDirectory, "/no/such/file", OpenFlag.ReadOnly), {
    code: "ENOENT",
    message: "openat /no/such/file: ENOENT",
  });
  assert.throws(() => openat(CurrentDirectory, "a\0b", OpenFlag.ReadOnly), { code: "EINVAL" });
});

test("openat2 under InRoot keeps absolute links and .. inside", () => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, "etc"));
  writeFileSync(join(directory.path, "etc/passwd"), "inside");
  symlinkSync("/etc/passwd", join(directory.path, "absolute"));
  symlinkSync("../../../../../../etc/passwd", join(directory.path, "climbing"));
  for (const name of ["absolute", "climbing", "/etc/passwd", "../../etc/passwd"]) {
    using file = openat2(directory.fd, name, { flags: OpenFlag.ReadOnly, resolve: ResolveFlag.InRoot });
    assert.equal(readFileSync(descriptorPath(file), "utf8"), "inside", name);
  }
});

test("openInRoot finds the place and tells its real path", () => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, "data"));
  symlinkSync("/data", join(directory.path, "link"));
  using found = openInRoot(directory.path, "/../link/.");
  assert.equal(found.realPath(), join(realpathSync(directory.path), "data"));
  assert.throws(() => openInRoot(directory.path, "absent"), { code: "ENOENT" });
});

test("openat2 refuses by name: Beneath, NoSymlinks, NoMagiclinks, NoXdev", () => {
  using directory = temporaryDirectory();
  symlinkSync("/etc/passwd", join(directory.path, "absolute"));
  const open = (path: string, resolve: number) => () =>
    openat2(directory.fd, path, { flags: OpenFlag.ReadOnly, resolve }).close();
  assert.throws(open("absolute", ResolveFlag.Beneath), { code: "EXDEV" });
  assert.throws(open("..", ResolveFlag.Beneath), { code: "EXDEV" });
  assert.throws(open("absolute", ResolveFlag.NoSymlinks), { code: "ELOOP" });
  assert.throws(open("/proc/self/exe", ResolveFlag.NoMagiclinks), { code: "ELOOP" });
  assert.throws(open("/proc/self/status", ResolveFlag.NoXdev), { code: "EXDEV" });
});

test("no chain of links and names escapes a root", () => {
  using directory = temporaryDirectory();
  const part = fc.constantFrom("..", ".", "a", "b", "/", "proc", "self", "cwd");
  const path = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("/"));
  let counter = 0;
  fc.assert(
    fc.property(path, path, (target, name) => {
      const link = `l${counter++}`;
      symlinkat(target, directory.fd, link);
      try {
        using file = openat2(directory.fd, `${link}/${name}`, {
          flags: OpenFlag.Path,
          resolve: ResolveFlag.InRoot | ResolveFlag.NoMagiclinks,
        });
        const reached = readlinkSync(descriptorPath(file));
        assert.ok(reached.startsWith(directory.path), reached);
      } catch (error) {
        assert.ok(error instanceof Error && "code" in error, String(error));
        assert.ok(["ENOENT", "ENOTDIR", "ELOOP"].includes(String(error.code)), String(error));
      }
    }),
    { numRuns: 300 },
  );
});
