import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type InotifyEvent, InotifyMask, watchDirectory, watchFile } from "./inotify.ts";
import { failOnLeaks, temporaryDirectory } from "./testing.ts";

failOnLeaks();

/** Waits until a condition holds; the suite's time limit ends the wait otherwise. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

const names = (events: readonly InotifyEvent[]) =>
  events.map((event) => (event.kind === "event" ? `${event.mask.toString(16)} ${event.name}` : event.kind));

test("entries that come, change, move and go", async () => {
  using directory = temporaryDirectory();
  const events: InotifyEvent[] = [];
  const { Create, CloseWrite, MovedFrom, MovedTo, Delete } = InotifyMask;
  const mask = Create | CloseWrite | MovedFrom | MovedTo | Delete;
  using _watch = watchDirectory(directory.path, mask, (event) => events.push(event));
  const path = (name: string) => join(directory.path, name);
  writeFileSync(path("ü 漢"), "x");
  renameSync(path("ü 漢"), path("b"));
  unlinkSync(path("b"));
  mkdirSync(path("d"));
  await until(() => events.length === 6);
  assert.deepEqual(names(events), ["100 ü 漢", "8 ü 漢", "40 ü 漢", "80 b", "200 b", "100 d"]);
  const [, , from, to, , made] = events;
  assert.ok(from?.kind === "event" && to?.kind === "event" && from.cookie === to.cookie && from.cookie !== 0);
  assert.ok(made?.kind === "event" && made.directory);
});

test("listeners of one directory get what they asked for, and one may leave", async () => {
  using directory = temporaryDirectory();
  const [created, deleted]: [InotifyEvent[], InotifyEvent[]] = [[], []];
  const first = watchDirectory(directory.path, InotifyMask.Create, (event) => created.push(event));
  await using _second = watchDirectory(directory.path, InotifyMask.Delete, (event) => deleted.push(event));
  writeFileSync(join(directory.path, "a"), "");
  await until(() => created.length === 1);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  writeFileSync(join(directory.path, "b"), "");
  unlinkSync(join(directory.path, "a"));
  await until(() => deleted.length === 1);
  assert.deepEqual([names(created), names(deleted)], [["100 a"], ["200 a"]]);
});

test("the end of the watched object is reported, and disposing afterwards is harmless", async () => {
  using directory = temporaryDirectory();
  const inner = join(directory.path, "inner");
  mkdirSync(inner);
  const events: InotifyEvent[] = [];
  using watch = watchDirectory(inner, InotifyMask.Create, (event) => events.push(event));
  rmSync(inner, { recursive: true });
  await until(() => events.length === 1);
  assert.deepEqual(events, [{ kind: "gone" }]);
  watch[Symbol.dispose]();
});

test("10,000 events arrive, each once and in order", async () => {
  using directory = temporaryDirectory();
  const seen: string[] = [];
  const { Create } = InotifyMask;
  using _watch = watchDirectory(directory.path, Create, (event) => {
    seen.push(event.kind === "event" ? event.name : event.kind);
  });
  for (let index = 0; index < 10_000; index++) {
    const path = join(directory.path, `f${index}`);
    closeSync(openSync(path, "w"));
    unlinkSync(path);
  }
  await until(() => seen.length === 10_000);
  assert.ok(seen.every((name, index) => name === `f${index}`));
});

test("lost events are reported as an overflow", async () => {
  using directory = temporaryDirectory();
  let overflows = 0;
  using _watch = watchDirectory(directory.path, InotifyMask.Create | InotifyMask.Delete, ({ kind }) => {
    if (kind === "overflow") overflows++;
  });
  // The kernel's default queue holds 16384 events.
  for (let index = 0; index < 9_000; index++) {
    const path = join(directory.path, `f${index}`);
    closeSync(openSync(path, "w"));
    unlinkSync(path);
  }
  await until(() => overflows > 0);
});

test("files are watched; what cannot be watched is an error", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "file");
  writeFileSync(path, "");
  let changes = 0;
  using _watch = watchFile(path, InotifyMask.Modify, () => changes++);
  writeFileSync(path, "changed");
  await until(() => changes > 0);
  assert.throws(() => watchDirectory(path, InotifyMask.Create, () => {}), { code: "ENOTDIR" });
  assert.throws(() => watchFile(join(directory.path, "absent"), InotifyMask.Modify, () => {}), { code: "ENOENT" });
});
