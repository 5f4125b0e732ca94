import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { bindMount, ensureSharedMount, mount, unmount } from "./mount.ts";
import {
  detachMountsBelow,
  findMounts,
  parseMountinfo,
  parseMountLine,
  parseMountsAround,
  readMountinfo,
  releaseMountsBelow,
  unescapeOctal,
} from "./mountinfo.ts";
import { temporaryDirectory } from "./testing.ts";

test("a line with tags, a part of a filesystem, escapes and super options", () => {
  const line =
    "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime shared:7 master:1 propagate_from:2 - ext3 /dev/ro\\134ot rw,errors=continue";
  assert.deepEqual(parseMountLine(line), {
    id: 36,
    parentId: 35,
    major: 98,
    minor: 0,
    root: "/mnt1",
    mountPoint: "/mnt 2",
    options: ["rw", "noatime"],
    shared: 7,
    master: 1,
    unbindable: false,
    type: "ext3",
    source: "/dev/ro\\ot",
    superOptions: ["rw", "errors=continue"],
  });
});

test("a source that is a dash, an empty source, and no tags", () => {
  assert.equal(parseMountLine("1 0 0:5 / / rw - tmpfs - rw").source, "-");
  assert.equal(parseMountLine("1 0 0:5 / / rw - tmpfs  rw").source, "");
  assert.equal(parseMountLine("1 0 0:5 / / rw unbindable - tmpfs x rw").unbindable, true);
});

test("what the kernel does not write is refused", () => {
  for (const line of ["x", "1 0 0:5 / / rw", "1 0 five / / rw - tmpfs x rw", "1 0 0:5 / / rw -"]) {
    assert.throws(() => parseMountLine(line), { code: "Internal" }, line);
  }
});

/** As the kernel's mangle_path does. */
function escapeOctal(text: string): string {
  const escaped = (char: string) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`;
  return text.replace(/[ \t\n\\#]/g, escaped);
}

test("escapes are undone exactly, whatever the name", () => {
  const name = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\\", "#", "0", "4", "1", "a", "ü", "漢", "🦊") });
  fc.assert(fc.property(name, (text) => unescapeOctal(escapeOctal(text)) === text));
});

test("everything this machine has mounted is understood", () => {
  const text = readFileSync("/proc/self/mountinfo", "utf8");
  const entries = parseMountinfo(text);
  assert.equal(entries.length, text.trimEnd().split("\n").length);
  assert.ok(entries.some(({ mountPoint }) => mountPoint === "/"));
  assert.ok(readMountinfo(process.pid).length > 0);
});

test("mounts below a directory come deepest first, siblings with the same beginning not at all", () => {
  using directory = temporaryDirectory();
  const names = ["a b", "a b/c", "a b2"].map((name) => join(directory.path, name));
  for (const name of names) {
    mkdirSync(name);
    mount({ source: "x", target: name, type: "tmpfs" });
  }
  const found = findMounts(names[0] ?? "").map(({ mountPoint }) => mountPoint);
  for (const { mountPoint } of findMounts(directory.path)) unmount(mountPoint);
  assert.deepEqual(found, [names[1], names[0]]);
});

for (const removal of [detachMountsBelow, releaseMountsBelow]) {
  test(`${removal.name} takes away stacked and propagated mounts too`, async () => {
    using directory = temporaryDirectory();
    const [a, b] = ["a", "b"].map((name) => join(directory.path, name)) as [string, string];
    mkdirSync(a);
    mkdirSync(b);
    ensureSharedMount(a);
    bindMount({ source: a, target: b });
    const inner = join(a, "inner");
    mkdirSync(inner);
    mount({ source: "x", target: inner, type: "tmpfs" });
    mount({ source: "y", target: inner, type: "tmpfs" });
    assert.equal(findMounts(directory.path).length, 6);
    assert.ok((await removal(directory.path)) >= 4);
    assert.deepEqual(findMounts(directory.path), []);
    assert.equal(await removal(directory.path), 0);
  });
}

test("of a table only what is at, above and below the paths is read", () => {
  const places = ["/", "/a", "/a/b c", "/a/b c/d", "/ab", "/e/f", "/a/b c"];
  const line = (place: string, at: number) => `${at} 0 0:${at} / ${escapeOctal(place)} rw - tmpfs x rw`;
  const table = `${places.map(line).join("\n")}\n`;
  const around = (...paths: string[]) => parseMountsAround(paths, table).map(({ id }) => id);
  assert.deepEqual(around("/a/b c"), [0, 1, 2, 3, 6]);
  assert.deepEqual(around("/a/b"), [0, 1]);
  assert.deepEqual(around("/e"), [0, 5]);
  assert.deepEqual(around("/ab/x", "/e/f/g"), [0, 4, 5]);
  assert.deepEqual(parseMountsAround(["/"], table), parseMountinfo(table));
  assert.deepEqual(around(), []);
  assert.deepEqual(parseMountsAround(["/a"], ""), []);
});
