import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fgetxattr, lgetxattr, lsetxattr, mount, OpenFlag, openat, unmount } from "@boxship/kernel";
import fc from "fast-check";
import type { TarEntryInit } from "../tar/encoder.ts";
import { type ByteString, bytesOf, type TarEntry, TarParser, tarEntry, writeTar } from "../tar/index.ts";
import { adoptDirectories } from "./adopt.ts";
import { type ApplyOptions, TarApplier } from "./apply.ts";

/** A directory for one test with an empty `root` in it, and a neighbour that nothing may touch. */
function sandbox(): { root: string; outside: string; [Symbol.dispose](): void } {
  const directory = mkdtempSync(join(tmpdir(), "boxship-apply-"));
  const [root, outside] = [join(directory, "root"), join(directory, "outside")];
  mkdirSync(root);
  mkdirSync(outside);
  return { root, outside, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

type Member = Omit<Partial<TarEntry>, "name" | "linkName"> &
  Pick<TarEntryInit, "type"> & { name: string; link?: string; body?: string | Buffer };

const file = (name: string, body = "", more: Partial<Member> = {}): Member => ({ type: "file", name, body, ...more });
const directory = (name: string, more: Partial<Member> = {}): Member => ({ type: "directory", name, ...more });
const symlink = (name: string, link: string): Member => ({ type: "symlink", name, link });
const hardLink = (name: string, link: string): Member => ({ type: "link", name, link });

async function apply(root: string, members: readonly Member[], options: Partial<ApplyOptions> = {}) {
  using applier = new TarApplier(root, { whiteouts: "overlay", ...options });
  const parser = new TarParser(applier);
  const inputs = members.map(({ name, link, body, ...rest }) => {
    const bytes = Buffer.from(body ?? "");
    const entry = tarEntry({ size: bytes.length, ...rest, name: bytesOf(name), linkName: bytesOf(link ?? "") });
    return { entry, body: bytes };
  });
  for await (const piece of writeTar(inputs)) parser.push(piece);
  parser.finish();
  applier.finish();
  return { implied: applier.implied, warnings: applier.warnings, entries: applier.entries };
}

test("owners, modes, times, links, devices and attributes arrive as the archive has them", async () => {
  using box = sandbox();
  const capability = Buffer.from("0100000200200000000000000000000000000000f4ff80".slice(0, 40), "hex");
  await apply(box.root, [
    directory("d", { mode: 0o2775, uid: 5, gid: 3_000_000, mtime: 1000, mtimeNanoseconds: 5 }),
    file("d/suid", "run", {
      mode: 0o6755,
      uid: 7,
      gid: 8,
      mtime: -3,
      xattrs: new Map([[bytesOf("security.capability"), capability]]),
    }),
    file("d/plain", "x", { mode: 0o666, uid: 0, gid: 0, mtime: 1_600_000_000, mtimeNanoseconds: 123_456_789 }),
    hardLink("hard", "d/plain"),
    symlink("soft", "../../../../etc/passwd"),
    { type: "character", name: "null", mode: 0o666, deviceMajor: 1, deviceMinor: 3 },
    { type: "fifo", name: "pipe", mode: 0o620, uid: 9, mtime: 50 },
    directory("d", { mode: 0o2775, uid: 5, gid: 3_000_000, mtime: 1000, mtimeNanoseconds: 5 }),
  ]);
  const d = statSync(join(box.root, "d"), { bigint: true });
  assert.deepEqual([d.mode & 0o7777n, d.uid, d.gid, d.mtimeNs], [0o2775n, 5n, 3_000_000n, 1_000_000_000_005n]);
  const suid = statSync(join(box.root, "d/suid"));
  assert.deepEqual([suid.mode & 0o7777, suid.uid, suid.gid, suid.mtimeMs], [0o6755, 7, 8, -3000]);
  assert.deepEqual(lgetxattr(join(box.root, "d/suid"), "security.capability"), capability);
  const plain = statSync(join(box.root, "d/plain"), { bigint: true });
  assert.deepEqual(
    [plain.mode & 0o7777n, plain.gid, plain.mtimeNs, plain.nlink],
    [0o666n, 0n, 1_600_000_000_123_456_789n, 2n],
  );
  assert.equal(statSync(join(box.root, "hard"), { bigint: true }).ino, plain.ino);
  assert.equal(readlinkSync(join(box.root, "soft")), "../../../../etc/passwd");
  const device = lstatSync(join(box.root, "null"));
  assert.ok(device.isCharacterDevice() && device.rdev === 0x103 && (device.mode & 0o777) === 0o666);
  const pipe = lstatSync(join(box.root, "pipe"));
  assert.ok(pipe.isFIFO() && (pipe.mode & 0o777) === 0o620 && pipe.uid === 9 && pipe.mtimeMs === 50_000);
});

test("whiteouts become overlay marks, before or after what the layer itself brings", async () => {
  using box = sandbox();
  await apply(box.root, [
    directory("d"),
    file("d/.wh.gone"),
    directory("opaque"),
    file("opaque/.wh..wh..opq"),
    file("opaque/new", "n"),
    file(".wh.first"),
    file("first", "replaced"),
    file("second", "kept"),
    file(".wh.second"),
    file(".wh.became-directory"),
    directory("became-directory"),
    directory("was-directory"),
    file(".wh.was-directory"),
    file("d/.wh.implied"),
    file("d/implied/child", "x"),
    directory(".wh..wh.plnk"),
    file(".wh..wh.plnk/1.2", "aufs"),
  ]);
  const gone = lstatSync(join(box.root, "d/gone"));
  assert.ok(gone.isCharacterDevice() && gone.rdev === 0);
  const opaque = (name: string) => lgetxattr(join(box.root, name), "trusted.overlay.opaque")?.toString();
  assert.equal(opaque("opaque"), "y");
  assert.equal(opaque("d/implied"), "y");
  assert.equal(opaque("became-directory"), "y");
  assert.equal(opaque("was-directory"), "y");
  assert.equal(readFileSync(join(box.root, "first"), "utf8"), "replaced");
  assert.equal(readFileSync(join(box.root, "second"), "utf8"), "kept");
  assert.deepEqual(
    readdirSync(join(box.root)).filter((name) => name.startsWith(".wh")),
    [],
  );
  await assert.rejects(apply(box.root, [file("x/.wh...")]), {
    name: "InvalidArgument",
    message: /whiteout names no file/,
  });
});

test("in plain mode whiteout names are files", async () => {
  using box = sandbox();
  await apply(box.root, [file(".wh.x", "1")], { whiteouts: "plain" });
  assert.equal(readFileSync(join(box.root, ".wh.x"), "utf8"), "1");
});

test("no name, symlink or hard link writes outside the root", async () => {
  using box = sandbox();
  const up = "../".repeat(12);
  const outside = box.outside.slice(1);
  for (const name of ["../evil", "a/../../evil", `${up}tmp/evil`]) {
    await assert.rejects(apply(box.root, [file(name, "x")]), {
      name: "InvalidArgument",
      message: /leaves the root by/,
    });
  }
  await apply(box.root, [
    file("/absolute", "in root"),
    symlink("abs", `/${outside}`),
    file("abs/through-absolute", "x"),
    symlink("rel", `${up}${outside}`),
    file("rel/through-relative", "x"),
    symlink("parent", ".."),
    file("parent/through-parent", "x"),
    symlink("magic", "/proc/self/root"),
    file("magic/through-proc", "x"),
    symlink("file", `${up}${outside}/victim`),
    file("file", "replaces the link"),
  ]);
  assert.deepEqual(readdirSync(box.outside), []);
  assert.deepEqual(readdirSync(join(box.root, "..")).sort(), ["outside", "root"]);
  assert.equal(readFileSync(join(box.root, "absolute"), "utf8"), "in root");
  assert.deepEqual(readdirSync(join(box.root, outside)).sort(), ["through-absolute", "through-relative"]);
  assert.ok(existsSync(join(box.root, "through-parent")) && existsSync(join(box.root, "proc/self/root/through-proc")));
  assert.ok(lstatSync(join(box.root, "file")).isFile());
});

test("hard links that escape, are absent or name a directory are refused by name", async () => {
  using box = sandbox();
  const refused = (members: Member[], message: RegExp) =>
    assert.rejects(apply(box.root, members), { name: "InvalidArgument", message });
  await refused([hardLink("l", "../outside/victim")], /tar entry "l": the name "..\/outside\/victim" leaves the root/);
  await refused([hardLink("l", "/etc/hostname")], /tar entry "l": the hard link's target "etc\/hostname" is not in/);
  await refused([symlink("s", "/etc"), hardLink("l", "s/hostname")], /target "s\/hostname" is not in/);
  await refused([directory("d"), hardLink("l", "d")], /is a directory/);
  await refused([hardLink("l", "l")], /its own target/);
  await refused([file(".wh.w"), hardLink("l", "w")], /not in the archive/);
});

test("later entries replace earlier ones of every type", async () => {
  using box = sandbox();
  await apply(box.root, [
    directory("a"),
    file("a/child", "1"),
    file("a", "now a file"),
    file("b", "1"),
    directory("b", { mtime: 77 }),
    file("b/child", "2"),
    symlink("c", "b"),
    directory("c"),
    file("c/own", "3"),
    file("e", "old"),
    file("e", "new"),
    directory("e2"),
    file("e2/x", "kept"),
    directory("e2", { mode: 0o700 }),
  ]);
  const text = (name: string) => readFileSync(join(box.root, name), "utf8");
  assert.deepEqual(
    [text("a"), text("b/child"), text("c/own"), text("e"), text("e2/x")],
    ["now a file", "2", "3", "new", "kept"],
  );
  assert.deepEqual(readdirSync(join(box.root, "b")), ["child"]);
  assert.equal(statSync(join(box.root, "b")).mtimeMs, 77_000);
  assert.equal(statSync(join(box.root, "e2")).mode & 0o777, 0o700);
  await assert.rejects(
    apply(box.root, [file("b", "")], { whiteouts: "plain", noOverwriteDirNonDir: true }),
    /cannot overwrite a directory/,
  );
  await assert.rejects(
    apply(box.root, [directory("e")], { whiteouts: "plain", noOverwriteDirNonDir: true }),
    /cannot overwrite a non-directory/,
  );
});

test("sparse files stay sparse", async () => {
  using box = sandbox();
  const size = 1 << 30;
  await apply(box.root, [
    {
      type: "file",
      name: "sparse",
      body: `${"head".padEnd(512)}tail`,
      size,
      sparse: [
        { offset: 4096, length: 512 },
        { offset: size - 4096, length: 4 },
      ],
    },
    { type: "file", name: "hole", size: 1 << 20, sparse: [] },
  ]);
  const status = statSync(join(box.root, "sparse"));
  assert.equal(status.size, size);
  assert.ok(status.blocks * 512 < 1 << 20, `${status.blocks} blocks`);
  assert.equal(statSync(join(box.root, "hole")).size, 1 << 20);
});

test("directories keep their times when entered again and again, across more of them than stay open", async () => {
  using box = sandbox();
  const names = Array.from({ length: 200 }, (_, index) => `d${index}`);
  const members = [
    ...names.map((name, index) => directory(name, { mtime: 1000 + index })),
    symlink("alias", "d0"),
    ...names.map((name) => file(`${name}/a`)),
    file("alias/through", "x"),
    ...names.map((name) => hardLink(`one/${name}`, `${name}/a`)),
    ...names.map((name) => file(`${name}/b`)),
  ];
  const { implied } = await apply(box.root, members);
  for (const [index, name] of names.entries()) {
    assert.equal(statSync(join(box.root, name)).mtimeMs, (1000 + index) * 1000, name);
  }
  assert.deepEqual(implied, ["", "one"]);
  assert.ok(existsSync(join(box.root, "d0/through")));
});

test("directories that the archive leaves out take their attributes from below", async () => {
  using box = sandbox();
  using lower = sandbox();
  using bottom = sandbox();
  await apply(bottom.root, [
    directory("usr", { mode: 0o711 }),
    directory("usr/deep", { mode: 0o1777, uid: 11, mtime: 5 }),
  ]);
  await apply(lower.root, [
    directory(".", { mode: 0o1755, uid: 6 }),
    directory("usr", { mode: 0o750, uid: 42, gid: 43, mtime: 99 }),
  ]);
  lsetxattr(join(lower.root, "usr"), "user.note", Buffer.from("hi"));
  const { implied } = await apply(box.root, [file("usr/deep/new/file", "x")]);
  assert.deepEqual(implied, ["", "usr", "usr/deep", "usr/deep/new"]);
  adoptDirectories(box.root, implied, [lower.root, bottom.root]);
  const root = statSync(box.root);
  assert.deepEqual([root.mode & 0o7777, root.uid, root.mtimeMs], [0o1755, 6, 0]);
  const usr = statSync(join(box.root, "usr"));
  assert.deepEqual([usr.mode & 0o7777, usr.uid, usr.gid, usr.mtimeMs], [0o750, 42, 43, 99_000]);
  assert.equal(lgetxattr(join(box.root, "usr"), "user.note")?.toString(), "hi");
  const deep = statSync(join(box.root, "usr/deep"));
  assert.deepEqual([deep.mode & 0o7777, deep.uid, deep.mtimeMs], [0o1777, 11, 5000]);
});

test("default access lists of directories do not leak into their files", async () => {
  using box = sandbox();
  // u::rwx,u:1000:rwx,g::r-x,m::rwx,o::--- as the kernel keeps it.
  const acl = Buffer.from(
    "0200000001000700ffffffff02000700e803000004000500ffffffff10000700ffffffff20000000ffffffff",
    "hex",
  );
  await apply(box.root, [
    directory("d", { xattrs: new Map([[bytesOf("system.posix_acl_default"), acl]]) }),
    file("d/f", "", { mode: 0o644 }),
  ]);
  assert.deepEqual(lgetxattr(join(box.root, "d"), "system.posix_acl_default"), acl);
  assert.equal(lgetxattr(join(box.root, "d/f"), "system.posix_acl_access"), undefined);
  assert.equal(statSync(join(box.root, "d/f")).mode & 0o777, 0o644);
});

test("attributes of overlays in archives are dropped with a warning", async () => {
  using box = sandbox();
  const xattrs = new Map([[bytesOf("trusted.overlay.redirect"), Buffer.from("/etc")]]);
  const { warnings } = await apply(box.root, [directory("d", { xattrs })]);
  using d = openat(-100, join(box.root, "d"), OpenFlag.ReadOnly | OpenFlag.Directory);
  assert.equal(fgetxattr(d, "trusted.overlay.redirect"), undefined);
  assert.match(warnings.join(), /"d": trusted.overlay.redirect/);
});

test("names that are not UTF-8 keep their bytes", async () => {
  using box = sandbox();
  using applier = new TarApplier(box.root, { whiteouts: "overlay" });
  applier.entry(tarEntry({ type: "file", name: "caf\xe9" as ByteString }));
  applier.end(tarEntry({ type: "file", name: "caf\xe9" as ByteString }));
  applier.finish();
  assert.deepEqual(readdirSync(box.root, { encoding: "buffer" }), [Buffer.from("caf\xe9", "latin1")]);
});

test("a full disk and a disk without inodes are named", async () => {
  using box = sandbox();
  mount({ source: "small", target: box.root, type: "tmpfs", data: "size=256k,nr_inodes=40" });
  try {
    await assert.rejects(apply(box.root, [file("big", Buffer.alloc(1 << 20).toString())]), (error: Error) => {
      assert.equal(error.name, "ResourceExhausted");
      assert.equal(error.message, `tar entry "big": no space left on ${box.root} (tmpfs on small)`);
      return true;
    });
    rmSync(join(box.root, "big"));
    const many = Array.from({ length: 60 }, (_, index) => file(`f${index}`));
    await assert.rejects(apply(box.root, many), { message: /no inodes left on .* \(tmpfs on small\)/ });
  } finally {
    unmount(box.root);
  }
});

test("no sequence of entries writes outside the root, in either mode", async () => {
  using box = sandbox();
  const part = fc.constantFrom("a", "b", "c", "..", ".", "", ".wh.a", ".wh..wh..opq");
  const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const far = fc.constantFrom(
    "/",
    "..",
    "../outside",
    "../../../../../../../..",
    box.outside,
    "/proc/self/root",
    "/proc/self/cwd",
  );
  const target = fc.oneof(
    path,
    far,
    fc.tuple(far, path).map(([from, rest]) => `${from}/${rest}`),
  );
  const member = fc.oneof(
    path.map((name) => file(name, "x")),
    path.map((name) => directory(name)),
    fc.tuple(path, target).map(([name, link]) => symlink(name, link)),
    fc.tuple(path, target).map(([name, link]) => hardLink(name, link)),
  );
  let applied = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(member, { maxLength: 12 }),
      fc.constantFrom("overlay" as const, "plain" as const),
      fc.boolean(),
      async (members, whiteouts, together) => {
        rmSync(box.root, { recursive: true, force: true });
        const root = join(box.root, "tree");
        mkdirSync(root, { recursive: true });
        // One at a time, so that a refused entry does not keep the following ones from being tried.
        for (const some of together ? [members] : members.map((one) => [one])) {
          try {
            await apply(root, some, { whiteouts, base: "a" as ByteString });
            applied++;
          } catch (error) {
            assert.equal((error as Error).name, "InvalidArgument", String(error));
          }
        }
        assert.deepEqual(readdirSync(box.outside), []);
        assert.deepEqual(readdirSync(box.root), ["tree"]);
        assert.deepEqual(readdirSync(join(box.root, "..")).sort(), ["outside", "root"]);
      },
    ),
    { numRuns: 100 },
  );
  assert.ok(applied > 50, `${applied} entries were applied`);
});
