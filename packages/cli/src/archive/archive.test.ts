import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { bytesOf, type TarEntryInit, type TarInput, tarEntry, writeTar } from "@boxship/oci/tar";
import { runProgram, tempDir } from "@boxship/testkit";
import { type CopyEnd, planCopy, renameEntry } from "./copy-plan.ts";
import { packPath, sourceInfo } from "./pack.ts";
import { absolutePath, assertsDirectory, splitArgument, splitPath } from "./paths.ts";
import { destinationInfo, unpackInto } from "./unpack.ts";

test("paths keep what their endings say", () => {
  deepEqual(splitPath("/a/b"), { directory: "/a", base: "b" });
  deepEqual(splitPath("/a/b/"), { directory: "/a", base: "b" });
  deepEqual(splitPath("/a/b/."), { directory: "/a/b", base: "." });
  deepEqual(splitPath("/."), { directory: "/", base: "." });
  deepEqual(["/a/", "/a/.", "/a", "."].map(assertsDirectory), [true, true, false, true]);
  deepEqual(
    ["a", "a/", "a/.", ".", "/"].map((path) => absolutePath(path, "/w")),
    ["/w/a", "/w/a/", "/w/a/.", "/w/.", "/"],
  );
  deepEqual(splitArgument("web:/x"), { container: "web", path: "/x" });
  deepEqual(splitArgument("./a:b"), { container: "", path: "./a:b" });
  deepEqual(splitArgument("/a:b"), { container: "", path: "/a:b" });
  deepEqual(splitArgument("plain"), { container: "", path: "plain" });
});

const file = (path: string): CopyEnd => ({ path, exists: true, isDirectory: false });
const directory = (path: string): CopyEnd => ({ path, exists: true, isDirectory: true });
const nothing = (path: string): CopyEnd => ({ path, exists: false, isDirectory: false });

test("where a copy lands", () => {
  const landing = (source: CopyEnd, destination: CopyEnd, entry: string): string => {
    const plan = planCopy(source, destination);
    return `${plan.directory}/${renameEntry(bytesOf(entry), plan)}`;
  };
  equal(landing(file("/s/f"), directory("/d"), "f"), "/d/f");
  equal(landing(file("/s/f"), file("/d/g"), "f"), "/d/g");
  equal(landing(file("/s/f"), nothing("/d/g"), "f"), "/d/g");
  equal(landing(directory("/s/x"), directory("/d"), "x/y"), "/d/x/y");
  equal(landing(directory("/s/x"), nothing("/d/n"), "x/y"), "/d/n/y");
  equal(landing(directory("/s/x/."), nothing("/d/n"), "./y"), "/d/n/y");
  equal(landing(directory("/s/x/."), directory("/d"), "./y"), "/d/./y");
  throws(() => planCopy(directory("/s"), file("/d")), /cannot copy directory/);
  throws(() => planCopy(file("/s"), nothing("/d/")), /no such directory/);
});

test("a tree comes out as it went in", async () => {
  await using work = tempDir("cli-cp");
  mkdirSync(work.join("src/sub"), { recursive: true });
  writeFileSync(work.join("src/a"), "content", { mode: 0o640 });
  linkSync(work.join("src/a"), work.join("src/b"));
  symlinkSync("a", work.join("src/link"));
  writeFileSync(work.join("src/sub/é"), Buffer.alloc(300_000, 7));
  // Names are bytes.
  const odd = (path: string) => Buffer.from(work.join(path), "latin1");
  mkdirSync(odd("src/\xff"));
  writeFileSync(odd("src/\xff/\xfe"), "odd");
  linkSync(odd("src/\xff/\xfe"), odd("src/\xff/\xfe2"));
  symlinkSync(Buffer.from([0xfd]), odd("src/\xff/link"));
  utimesSync(work.join("src/sub"), 1000, 1000);
  const source = await sourceInfo(work.join("src"), false);
  const plan = planCopy(source, await destinationInfo(work.join("copy")));
  const written = await unpackInto(writeTar(packPath(source.path, plan)), { directory: work.path });
  equal(written, 300_010);
  equal(readFileSync(odd("copy/\xff/\xfe2"), "utf8"), "odd");
  equal(lstatSync(odd("copy/\xff/\xfe")).nlink, 2);
  deepEqual(readlinkSync(odd("copy/\xff/link"), { encoding: "buffer" }), Buffer.from([0xfd]));
  equal(readFileSync(work.join("copy/b"), "utf8"), "content");
  equal(lstatSync(work.join("copy/a")).ino, lstatSync(work.join("copy/b")).ino);
  equal(lstatSync(work.join("copy/a")).mode & 0o777, 0o640);
  equal(readlinkSync(work.join("copy/link")), "a");
  equal(lstatSync(work.join("copy/sub")).mtimeMs, 1_000_000);
  equal(readFileSync(work.join("copy/sub/é")).length, 300_000);
});

test("tar reads what is packed, and packs what is read", async () => {
  await using work = tempDir("cli-cp");
  mkdirSync(work.join("t/d"), { recursive: true });
  writeFileSync(work.join("t/d/f"), "x");
  const chunks: Buffer[] = [];
  for await (const chunk of writeTar(packPath(work.join("t"), { directory: "" }))) chunks.push(chunk);
  const listed = await runProgram(["tar", "-tf", "-"], { input: Buffer.concat(chunks) });
  equal(listed.stdout, "t/\nt/d/\nt/d/f\n");
  await runProgram(["tar", "-C", work.path, "-cf", work.join("x.tar"), "t"]);
  mkdirSync(work.join("out"));
  await unpackInto([readFileSync(work.join("x.tar"))], { directory: work.join("out"), rename: { from: "t", to: "u" } });
  equal(readFileSync(work.join("out/u/d/f"), "utf8"), "x");
});

async function archive(
  ...members: readonly (Omit<TarEntryInit, "name" | "linkName"> & {
    readonly name: string;
    readonly linkName?: string;
    readonly text?: string;
  })[]
) {
  const inputs = members.map(({ name, linkName = "", text = "", ...rest }): TarInput => {
    const size = rest.type === "file" ? text.length : 0;
    const entry = tarEntry({ ...rest, name: bytesOf(name), linkName: bytesOf(linkName), size });
    return size === 0 ? { entry } : { entry, body: Buffer.from(text) };
  });
  const chunks: Buffer[] = [];
  for await (const chunk of writeTar(inputs)) chunks.push(chunk);
  return chunks;
}

test("no archive writes outside of its destination", async () => {
  await using work = tempDir("cli-cp");
  mkdirSync(work.join("in"));
  mkdirSync(work.join("outside"));
  writeFileSync(work.join("outside/victim"), "safe");
  const outside = work.join("outside");
  const attacks = [
    archive({ type: "file", name: "../outside/new", text: "x" }),
    archive({ type: "file", name: "a/../../outside/new", text: "x" }),
    archive({ type: "symlink", name: "l", linkName: outside }, { type: "file", name: "l/new", text: "x" }),
    archive({ type: "symlink", name: "m", linkName: "../outside" }, { type: "directory", name: "m/new" }),
    archive({ type: "link", name: "h", linkName: "../outside/victim" }, { type: "file", name: "h", text: "gone" }),
    archive({ type: "symlink", name: "s", linkName: `${outside}/victim` }, { type: "link", name: "t", linkName: "s" }),
  ];
  for (const attack of attacks) {
    const chunks = await attack;
    await rejects(() => unpackInto(chunks, { directory: work.join("in") }), /refusing to/);
  }
  // A link to a file is replaced, not followed.
  const chunks = await archive(
    { type: "symlink", name: "v", linkName: `${outside}/victim` },
    { type: "file", name: "v", text: "mine" },
  );
  await unpackInto(chunks, { directory: work.join("in") });
  equal(readFileSync(work.join("in/v"), "utf8"), "mine");
  await unpackInto(await archive({ type: "file", name: "/abs", text: "x" }), { directory: work.join("in") });
  deepEqual([existsSync(work.join("in/abs")), existsSync(work.join("outside/new"))], [true, false]);
  equal(readFileSync(work.join("outside/victim"), "utf8"), "safe");
});

test("directories and files do not replace each other; devices and fifos are made", async () => {
  await using work = tempDir("cli-cp");
  mkdirSync(work.join("d"));
  writeFileSync(work.join("f"), "");
  const into = { directory: work.path };
  const overDirectory = await archive({ type: "file", name: "d" });
  await rejects(() => unpackInto(overDirectory, into), /cannot overwrite directory ".*\/d" with non-directory/);
  const overFile = await archive({ type: "directory", name: "f" });
  await rejects(() => unpackInto(overFile, into), /cannot overwrite non-directory ".*\/f" with directory/);
  const device = await archive({ type: "character", name: "null", deviceMajor: 1, deviceMinor: 3 });
  await unpackInto(device, into);
  const made = lstatSync(work.join("null"));
  deepEqual([made.isCharacterDevice(), made.rdev], [true, (1 << 8) | 3]);
  await unpackInto(await archive({ type: "fifo", name: "pipe", mode: 0o640 }), into);
  const pipe = lstatSync(work.join("pipe"));
  deepEqual([pipe.isFIFO(), pipe.mode & 0o777], [true, 0o640]);
});
