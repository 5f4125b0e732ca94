import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { detachMount, lgetxattr, lsetxattr, makeDevice, mknodat, mountFilesystem } from "@boxship/kernel";
import { TarApplier } from "../apply/apply.ts";
import { bytesOf, readTar, TarParser, tarEntry, toText, writeTar } from "../tar/index.ts";
import {
  archivePath,
  diffLayer,
  endArchiveWorkers,
  exportTree,
  extractArchive,
  findLayerChanges,
  packDirectory,
  statArchivePath,
} from "./archive.ts";

after(endArchiveWorkers);

function sandbox() {
  const path = mkdtempSync(join(tmpdir(), "boxship-archive-"));
  const inside = (name: string) => {
    const directory = join(path, name);
    mkdirSync(directory, { recursive: true });
    return directory;
  };
  return { path, inside, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

async function names(stream: AsyncIterable<Buffer>): Promise<string[]> {
  return await Array.fromAsync(readTar(stream), ({ entry }) => `${entry.type} ${toText(entry.name)}`);
}

async function tar(...files: readonly (readonly [name: string, body: string])[]): Promise<Buffer> {
  const inputs = files.map(([name, text]) => {
    const body = Buffer.from(text);
    return { entry: tarEntry({ type: "file", name: bytesOf(name), size: body.length, uid: 7 }), body };
  });
  return Buffer.concat(await Array.fromAsync(writeTar(inputs)));
}

test("a packed tree unpacks to the same tree, by our own codec and by GNU tar", async () => {
  using box = sandbox();
  const [source, ours, theirs] = [box.inside("source"), box.inside("ours"), box.inside("theirs")];
  execFileSync(
    "bash",
    [
      "-c",
      `set -e
    mkdir -p d/e; echo one > d/one; ln d/one d/e/hard; ln -s ../one d/e/soft; mkfifo pipe; mknod null c 1 3
    chmod 6755 d/one; chown 5:3000000 d/one; truncate -s 50M sparse; echo end >> sparse; echo tail > "${"n".repeat(200)}"
    touch -d @1.5 d/e; head -c 3000000 /dev/urandom > big; mkdir -m 1777 empty; touch -d @7 d`,
    ],
    { cwd: source },
  );
  lsetxattr(join(source, "big"), "user.note", Buffer.from([0, 255, 10]));
  const archive = await buffer(packDirectory(source));
  assert.ok(archive.length < 4_000_000, "holes are not stored");
  using applier = new TarApplier(ours, { whiteouts: "overlay" });
  const parser = new TarParser(applier);
  parser.push(archive);
  parser.finish();
  applier.finish();
  execFileSync("tar", ["-x", "-p", "--numeric-owner"], { cwd: theirs, input: archive });
  const list = (cwd: string) =>
    execFileSync(
      "bash",
      [
        "-c",
        "find . -mindepth 1 -printf '%p %y %m %U:%G %s %T@ %l %n\\n' | sort; find . -type f | sort | xargs -d '\\n' sha256sum",
      ],
      { cwd, encoding: "utf8" },
    ).replaceAll(/^(\S+ d \S+ \S+) \d+/gm, "$1");
  assert.equal(list(ours), list(source));
  assert.equal(list(theirs), list(source));
  assert.deepEqual(lgetxattr(join(ours, "big"), "user.note"), Buffer.from([0, 255, 10]));
  assert.deepEqual(await buffer(packDirectory(source)), archive, "the same tree gives the same archive");
  const clamped = await Array.fromAsync(readTar(packDirectory(source, { latestMtime: 3 })), ({ entry }) => entry.mtime);
  assert.ok(clamped.every((mtime) => mtime <= 3));
});

test("a writable layer becomes an image layer and a list of changes", async () => {
  using box = sandbox();
  const [lower, bottom, upper, work, merged] = ["lower", "bottom", "upper", "work", "merged"].map(box.inside) as [
    string,
    string,
    string,
    string,
    string,
  ];
  for (const name of ["keep", "change", "remove", "replace", "dir/a", "dir/b", "deep/x/y", "wiped/old", "wiped/same"]) {
    mkdirSync(join(bottom, name, ".."), { recursive: true });
    writeFileSync(join(bottom, name), name);
  }
  mkdirSync(join(lower, "dir"));
  mknodat(-100, join(lower, "dir/b"), 0o020000, makeDevice(0, 0));
  mountFilesystem({
    type: "overlay",
    target: merged,
    options: [
      ["lowerdir+", lower],
      ["lowerdir+", bottom],
      ["upperdir", upper],
      ["workdir", work],
    ],
  });
  try {
    writeFileSync(join(merged, "change"), "new");
    rmSync(join(merged, "remove"));
    rmSync(join(merged, "replace"));
    mkdirSync(join(merged, "replace"));
    writeFileSync(join(merged, "dir/b"), "again");
    writeFileSync(join(merged, "deep/x/y"), "touched");
    mkdirSync(join(merged, "added/below"), { recursive: true });
    rmSync(join(merged, "wiped"), { recursive: true });
    mkdirSync(join(merged, "wiped"));
    writeFileSync(join(merged, "wiped/same"), "2");
    const exported = await names(exportTree(merged));
    assert.ok(
      exported.includes("file wiped/same") && exported.includes("file keep") && !exported.includes("file remove"),
    );
  } finally {
    detachMount(merged);
  }
  const changes = await findLayerChanges(upper, [lower, bottom]);
  assert.deepEqual(
    changes.map(({ kind, path }) => `${kind[0]} ${path}`),
    [
      "a /added",
      "a /added/below",
      "m /change",
      "m /deep/x/y",
      "m /dir",
      "a /dir/b",
      "d /remove",
      "m /replace",
      "m /wiped",
      "d /wiped/old",
      "m /wiped/same",
    ],
  );
  const layer = await buffer(diffLayer(upper));
  const listed = await names(Readable.from([layer]));
  for (const name of [
    "file .wh.remove",
    "file wiped/.wh..wh..opq",
    "directory replace",
    "file wiped/same",
    "file dir/b",
  ]) {
    assert.ok(listed.includes(name), `${name} in ${listed.join()}`);
  }
  const again = box.inside("again");
  using applier = new TarApplier(again, { whiteouts: "overlay" });
  const parser = new TarParser(applier);
  parser.push(layer);
  parser.finish();
  applier.finish();
  assert.deepEqual(await findLayerChanges(again, [lower, bottom]), changes, "the layer says what the directory said");
});

test("paths of a container are looked at and packed as docker cp expects", async () => {
  using box = sandbox();
  const root = box.inside("root");
  mkdirSync(join(root, "etc/deep"), { recursive: true });
  writeFileSync(join(root, "etc/passwd"), "root", { mode: 0o640 });
  symlinkSync("/etc", join(root, "link"));
  symlinkSync("../../../../../etc/passwd", join(root, "etc/deep/up"));
  symlinkSync("/nowhere/at/all", join(root, "dangling"));
  const file = await statArchivePath(root, "/etc/passwd");
  assert.deepEqual([file.name, file.size, file.mode, file.linkTarget], ["passwd", 4, 0o640, ""]);
  const link = await statArchivePath(root, "link");
  assert.deepEqual([link.name, link.linkTarget, link.mode], ["link", "/etc", 0x08000000 + 0o777]);
  assert.equal((await statArchivePath(root, "/link/")).mode, 0x80000000 + 0o755);
  assert.equal((await statArchivePath(root, "/link/deep/up")).linkTarget, "/etc/passwd");
  assert.equal((await statArchivePath(root, "dangling")).linkTarget, "/nowhere/at/all");
  assert.equal((await statArchivePath(root, "/../..")).name, "/");
  await assert.rejects(statArchivePath(root, "/etc/nope"), {
    code: "NotFound",
    message: "could not find the file /etc/nope",
  });
  await assert.rejects(statArchivePath(root, "/etc/passwd/"), {
    code: "InvalidArgument",
    message: /is not a directory/,
  });

  const packed = async (path: string) => names((await archivePath(root, path)).stream);
  assert.deepEqual(await packed("/etc/passwd"), ["file passwd"]);
  assert.deepEqual(await packed("/link"), ["symlink link"]);
  assert.deepEqual(await packed("/link/"), [
    "directory link",
    "directory link/deep",
    "symlink link/deep/up",
    "file link/passwd",
  ]);
  assert.deepEqual(await packed("/etc/."), ["directory .", "directory ./deep", "symlink ./deep/up", "file ./passwd"]);
  assert.deepEqual((await packed("/")).slice(0, 3), ["directory /", "symlink /dangling", "directory /etc"]);
  await assert.rejects(archivePath(root, "/nope"), { code: "NotFound" });
});

test("archives are unpacked into a container, and nowhere else", async () => {
  using box = sandbox();
  const root = box.inside("root");
  const outside = box.inside("outside");
  mkdirSync(join(root, "var/tmp"), { recursive: true });
  mkdirSync(join(root, "usr"));
  symlinkSync("/var/tmp", join(root, "usr/tmp"));
  symlinkSync(outside, join(root, "usr/escape"));
  const send = async (path: string, archive: Buffer, options = {}) =>
    extractArchive(root, path, Readable.from([archive.subarray(0, 700), archive.subarray(700)]), options);
  const archive = await tar(["a", "1"], ["tmp/b", "2"], ["escape/c", "3"]);
  await send("/usr", gzipSync(archive));
  assert.deepEqual(readdirSync(outside), []);
  assert.equal(readFileSync(join(root, "var/tmp/b"), "utf8"), "2");
  assert.ok(existsSync(join(root, outside, "c")));
  assert.equal(statSync(join(root, "usr/a")).uid, 7);
  await send("usr/tmp", archive, { owner: { uid: 11, gid: 12 } });
  assert.equal(statSync(join(root, "var/tmp/a")).gid, 12);
  await assert.rejects(send("/usr", await tar(["../../x", ""])), {
    code: "InvalidArgument",
    message: /leaves the root/,
  });
  await assert.rejects(send("/usr/a", archive), {
    code: "InvalidArgument",
    message: "extraction point /usr/a is not a directory",
  });
  await assert.rejects(send("/nope", archive), { code: "NotFound" });
  await assert.rejects(send("/usr", Buffer.alloc(5000, 1)), { code: "InvalidArgument", message: /checksum/ });
  await assert.rejects(send("/", await tar(["usr", ""]), { noOverwriteDirNonDir: true }), {
    message: /cannot overwrite a directory/,
  });
  await assert.rejects(send("/", await tar(["usr/a/b", ""])), { message: /"usr\/a" is not a directory/ });
  assert.ok(lstatSync(join(root, "usr")).isDirectory());
});

test("streams hold back, end early and pass failures on", async () => {
  using box = sandbox();
  const root = box.inside("root");
  writeFileSync(join(root, "big"), Buffer.alloc(8 << 20, 1));
  const { stream } = await archivePath(root, "/big");
  for await (const piece of stream) {
    assert.ok(piece.length > 0);
    break;
  }
  assert.equal(stream.destroyed, true);
  async function* broken() {
    yield Buffer.alloc(10);
    throw new Error("client went away");
  }
  await assert.rejects(extractArchive(root, "/", broken()), /client went away/);
  const controller = new AbortController();
  async function* endless() {
    for (;;) {
      yield Buffer.alloc(10_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  setTimeout(() => controller.abort(new Error("enough")), 50);
  await assert.rejects(extractArchive(root, "/", endless(), {}, controller.signal), /enough/);
  const several = await Promise.all(
    Array.from({ length: 5 }, () => archivePath(root, "/big").then(({ stream: one }) => buffer(one))),
  );
  assert.ok(several.every(({ length }) => length > 8 << 20 && length < (8 << 20) + 5000));
});
