import assert from "node:assert/strict";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { FailedPrecondition, InvalidArgument, ResourceExhausted } from "@boxship/base";
import { type Init, type ValueOf } from "@boxship/grpc";
import { CurrentDirectory, lgetxattr, lsetxattr, statx } from "@boxship/kernel";
import { tempDir } from "@boxship/testkit";
import fc from "fast-check";
import { Packet, PacketType, type Stat } from "../wire/fsutil.ts";
import { fileKind, goMode, unixMode } from "./file-mode.ts";
import { endTransferWorkers } from "./transfer.ts";
import { TreeReceiver } from "./tree-receiver.ts";
import { TreeSender } from "./tree-sender.ts";

after(() => endTransferWorkers());

/** Both sides without a connection. @returns what travelled */
function synchronise(from: string, to: string, prefix?: string): TreeReceiver["result"] {
  using sender = new TreeSender(from, prefix);
  using receiver = new TreeReceiver(to, (packet) => sender.accept(packet));
  for (let packet = sender.next(); packet !== undefined; packet = sender.next()) receiver.accept(packet);
  assert.ok(sender.done);
  receiver.accept(Packet.encode({ type: PacketType.finish }));
  assert.ok(receiver.done);
  return receiver.result;
}

/** Everything about a tree that a build can see. */
function describe(root: string, path = ""): readonly string[] {
  return readdirSync(join(root, path)).flatMap((name) => {
    const relative = join(path, name);
    const file = join(root, relative);
    const { mode, uid, gid, mtime, links } = statx(CurrentDirectory, file);
    const kind = fileKind(mode);
    const content = kind === "file" ? readFileSync(file).toString("hex") : kind === "symlink" ? readlinkSync(file) : "";
    const time = kind === "directory" && links === 0 ? "" : mtime;
    const line = `${relative} ${mode.toString(8)} ${uid}:${gid} ${time} ${content}`;
    return kind === "directory" ? [line, ...describe(root, relative)] : [line];
  });
}

function makeTree(root: string): void {
  mkdirSync(join(root, "a/b"), { recursive: true });
  writeFileSync(join(root, "a/empty"), "");
  writeFileSync(join(root, "a/b/data"), Buffer.alloc(100_000, 7), { mode: 0o4755 });
  writeFileSync(join(root, "a.txt"), "beside a directory of almost that name");
  writeFileSync(join(root, "naïve ☂"), "names are UTF-8");
  linkSync(join(root, "a/b/data"), join(root, "z-link"));
  symlinkSync("../outside/nowhere", join(root, "a/dangling"));
  lsetxattr(join(root, "a.txt"), "user.note", Buffer.from([0xf4, 0xff, 0x80]));
  utimesSync(join(root, "a.txt"), 1, 1.25);
}

test("modes survive the way to Go's form and back", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0o100000, 0o040000, 0o120000, 0o010000, 0o020000, 0o060000, 0o140000),
      fc.nat({ max: 0o7777 }),
      (kind, bits) => {
        assert.equal(unixMode(goMode(kind | bits)), kind | bits);
      },
    ),
  );
});

test("a tree arrives as it is, and a second time nothing travels", async () => {
  await using from = tempDir("send");
  await using to = tempDir("receive");
  makeTree(from.path);
  const first = synchronise(from.path, to.path);
  assert.deepEqual(describe(to.path), describe(from.path));
  assert.equal(first.transferred, 4);
  assert.equal(lstatSync(join(to.path, "z-link")).ino, lstatSync(join(to.path, "a/b/data")).ino);
  assert.deepEqual(lgetxattr(join(to.path, "a.txt"), "user.note"), Buffer.from([0xf4, 0xff, 0x80]));
  rmSync(join(from.path, "z-link"));
  synchronise(from.path, to.path);
  assert.equal(synchronise(from.path, to.path).transferred, 0);
});

test("only what changed travels; what is gone is removed; kinds may change", async () => {
  await using from = tempDir("send");
  await using to = tempDir("receive");
  for (let index = 0; index < 50; index++) writeFileSync(join(from.path, `f${index}`), `${index}`);
  mkdirSync(join(from.path, "was-dir/deep"), { recursive: true });
  writeFileSync(join(from.path, "was-file"), "x");
  synchronise(from.path, to.path);
  writeFileSync(join(from.path, "f7"), "other");
  rmSync(join(from.path, "f8"));
  rmSync(join(from.path, "was-dir"), { recursive: true });
  writeFileSync(join(from.path, "was-dir"), "now a file");
  rmSync(join(from.path, "was-file"));
  symlinkSync("f1", join(from.path, "was-file"));
  writeFileSync(join(to.path, "stray"), "left by nobody");
  const { transferred } = synchronise(from.path, to.path);
  assert.equal(transferred, 2);
  assert.deepEqual(describe(to.path), describe(from.path));
});

test("a file that was cut off is asked for again", async () => {
  await using from = tempDir("send");
  await using to = tempDir("receive");
  writeFileSync(join(from.path, "big"), Buffer.alloc(200_000, 1));
  {
    using sender = new TreeSender(from.path);
    using receiver = new TreeReceiver(to.path, (packet) => sender.accept(packet));
    for (let count = 0; count < 4; count++) receiver.accept(sender.next() ?? Buffer.alloc(0));
  }
  assert.ok(lstatSync(join(to.path, "big")).size > 0);
  assert.equal(synchronise(from.path, to.path).transferred, 1);
  assert.deepEqual(describe(to.path), describe(from.path));
});

test("random trees become equal whatever was there before", async () => {
  const tree = fc.dictionary(fc.constantFrom("a", "b", "c/d", "c/e", "f/g/h", "i"), fc.string({ maxLength: 8 }));
  // Times differ: files of one size that were written in the same tick of the clock are the same to the protocol.
  const build = (root: string, files: Readonly<Record<string, string>>, time: number) => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, path, ".."), { recursive: true });
      writeFileSync(join(root, path), text);
      utimesSync(join(root, path), time, time);
    }
  };
  await fc.assert(
    fc.asyncProperty(tree, tree, async (first, second) => {
      await using one = tempDir("send");
      await using two = tempDir("send");
      await using to = tempDir("receive");
      build(one.path, first, 1);
      build(two.path, second, 2);
      synchronise(one.path, to.path);
      synchronise(two.path, to.path);
      assert.deepEqual(describe(to.path), describe(two.path));
    }),
    { numRuns: 40 },
  );
});

test("a prefix puts all into a directory", async () => {
  await using from = tempDir("send");
  await using to = tempDir("receive");
  writeFileSync(join(from.path, "file"), "x");
  synchronise(from.path, to.path, "linux_amd64");
  assert.equal(readFileSync(join(to.path, "linux_amd64/file"), "utf8"), "x");
});

test("lists that would leave the directory are refused, and leave nothing", async () => {
  const file = (path: string): Init<ValueOf<typeof Stat>> => ({ path, mode: 0o644 });
  const link: Init<ValueOf<typeof Stat>> = { path: "out", mode: goMode(0o120777), linkname: "/tmp" };
  const lists: readonly (readonly Init<ValueOf<typeof Stat>>[])[] = [
    [file("../escape")],
    [file("/etc/passwd")],
    [file("a/b")],
    [file("a/../b")],
    [file(".")],
    [file("")],
    [file("a\0b")],
    [file("same"), file("same")],
    [link, file("out/file")],
    [{ path: "hard", mode: 0o644, linkname: "../../etc/passwd" }],
    [{ path: "hard", mode: 0o644, linkname: "not-listed" }],
  ];
  for (const list of lists) {
    await using to = tempDir("receive");
    using receiver = new TreeReceiver(to.path, () => {});
    assert.throws(
      () => {
        for (const stat of list) receiver.accept(Packet.encode({ type: PacketType.stat, stat }));
      },
      InvalidArgument,
      JSON.stringify(list),
    );
    assert.deepEqual(
      readdirSync(to.path).filter((name) => name !== "out" && name !== "same"),
      [],
    );
  }
});

test("a list without end is refused before it fills the memory, and so are attributes", async () => {
  for (const xattrs of [{}, { "user.x": Buffer.alloc(100_000) }]) {
    await using to = tempDir("receive");
    using receiver = new TreeReceiver(to.path, () => {}, 1_000_000);
    let listed = 0;
    const endless = () => {
      for (; listed < 10_000; listed++) {
        const stat = { path: `f${listed}`, mode: 0o644, size: 1, xattrs };
        receiver.accept(Packet.encode({ type: PacketType.stat, stat }));
      }
    };
    assert.throws(endless, ResourceExhausted);
    assert.ok(listed >= (Object.keys(xattrs).length === 0 ? 2000 : 9), `${listed}`);
    assert.deepEqual(readdirSync(to.path), []);
  }
});

test("a link of an earlier tree is replaced by the directory of this one", async () => {
  await using outside = tempDir("outside");
  await using to = tempDir("receive");
  await using from = tempDir("send");
  symlinkSync(outside.path, join(to.path, "dir"));
  mkdirSync(join(from.path, "dir"));
  writeFileSync(join(from.path, "dir/file"), "x");
  synchronise(from.path, to.path);
  assert.deepEqual(readdirSync(outside.path), []);
  assert.ok(lstatSync(join(to.path, "dir")).isDirectory());
});

test("the sender's error is told; data that nobody asked for is refused", async () => {
  await using to = tempDir("receive");
  using receiver = new TreeReceiver(to.path, () => {});
  const error = Packet.encode({ type: PacketType.error, data: Buffer.from("permission denied") });
  assert.throws(() => receiver.accept(error), FailedPrecondition);
  const data = Packet.encode({ type: PacketType.data, id: 3, data: Buffer.from("x") });
  assert.throws(() => receiver.accept(data), InvalidArgument);
});
