import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { bindMount, detachMount, MountFlag, releaseMount, unmount } from "./mount.ts";
import {
  attachMount,
  cloneMount,
  createMount,
  type FilesystemOption,
  MountAttribute,
  mountFilesystem,
  mountSetattr,
} from "./mount-filesystem.ts";
import { findMounts } from "./mountinfo.ts";
import { failOnLeaks, temporaryDirectory } from "./testing.ts";

failOnLeaks();

test("a tmpfs with options and attributes", () => {
  using directory = temporaryDirectory();
  mountFilesystem({
    type: "tmpfs",
    source: "mine",
    target: directory.path,
    options: [
      ["size", "64k"],
      ["mode", "0700"],
    ],
    attributes: MountAttribute.NoSuid | MountAttribute.NoExec,
  });
  const [entry] = findMounts(directory.path);
  unmount(directory.path);
  assert.equal(entry?.source, "mine");
  assert.ok(entry?.options.includes("nosuid") && entry.options.includes("noexec"));
  assert.ok(entry?.superOptions.includes("size=64k") && entry.superOptions.includes("mode=700"));
});

test("failures name the option and carry the kernel's reason", () => {
  const create = (...options: FilesystemOption[]) => createMount({ type: "tmpfs", options }).close();
  assert.throws(() => create(["colour", "blue"]), {
    code: "EINVAL",
    message: "fsconfig tmpfs colour=blue (tmpfs: Unknown parameter 'colour'): EINVAL",
  });
  assert.throws(() => createMount({ type: "nosuchfs" }), { code: "ENODEV" });
});

test("an overlay of 120 layers whose options exceed a page", () => {
  using directory = temporaryDirectory();
  // In memory: unmounting an overlay syncs the whole file system below it, whoever wrote to it.
  mountFilesystem({ type: "tmpfs", target: directory.path });
  const path = (name: string) => {
    const full = join(directory.path, name);
    mkdirSync(full, { recursive: true });
    return full;
  };
  const layers = Array.from({ length: 120 }, (_, index) => path(`${"layer-with-a-long-name-".repeat(5)}${index}`));
  layers.forEach((layer, index) => writeFileSync(join(layer, `f${index}`), String(index)));
  const options: FilesystemOption[] = [
    ...layers.map((layer) => ["lowerdir+", layer] as const),
    ["upperdir", path("upper")],
    ["workdir", path("work")],
  ];
  assert.ok(JSON.stringify(options).length > 3 * 4096);
  const target = path("merged");
  mountFilesystem({ type: "overlay", source: "boxship", target, options });
  try {
    assert.equal(readdirSync(target).length, 120);
    assert.equal(readFileSync(join(target, "f119"), "utf8"), "119");
    writeFileSync(join(target, "new"), "");
    assert.deepEqual(readdirSync(join(directory.path, "upper")), ["new"]);
  } finally {
    unmount(target);
    unmount(directory.path);
  }
});

test("a cloned tree is changed before anybody sees it", () => {
  using directory = temporaryDirectory();
  const [source, target] = ["source", "target"].map((name) => join(directory.path, name)) as [string, string];
  mkdirSync(source);
  mkdirSync(target);
  {
    using tree = cloneMount(source);
    mountSetattr(tree, { set: MountAttribute.ReadOnly, propagation: MountFlag.Private });
    attachMount(tree, target);
  }
  assert.throws(() => writeFileSync(join(target, "f"), ""), { code: "EROFS" });
  unmount(target);
});

test("a recursive change reaches mounts below", () => {
  using directory = temporaryDirectory();
  const [outer, inner] = ["outer", "outer/inner"].map((name) => join(directory.path, name)) as [string, string];
  mkdirSync(outer);
  bindMount({ source: outer, target: outer });
  mkdirSync(inner);
  mountFilesystem({ type: "tmpfs", target: inner });
  mountSetattr(outer, { set: MountAttribute.ReadOnly, recursive: true });
  assert.throws(() => writeFileSync(join(inner, "f"), ""), { code: "EROFS" });
  mountSetattr(outer, { clear: MountAttribute.ReadOnly, recursive: true });
  writeFileSync(join(inner, "f"), "");
  detachMount(outer);
  assert.deepEqual(findMounts(directory.path), []);
});

test("a dirty overlay is released, and what was written to it stays", async () => {
  using directory = temporaryDirectory();
  const path = (name: string) => {
    const full = join(directory.path, name);
    mkdirSync(full, { recursive: true });
    return full;
  };
  const [lower, upper, work, target] = ["lower", "upper", "work", "merged"].map(path) as [
    string,
    string,
    string,
    string,
  ];
  const options: FilesystemOption[] = [
    ["lowerdir+", lower],
    ["upperdir", upper],
    ["workdir", work],
  ];
  mountFilesystem({ type: "overlay", target, options });
  writeFileSync(join(target, "big"), Buffer.alloc(64 << 20));
  await releaseMount(target);
  assert.deepEqual(findMounts(directory.path), []);
  assert.equal(statSync(join(upper, "big")).size, 64 << 20);
  await assert.rejects(releaseMount(target), { code: "EINVAL" });
});

test("a worker thread releases mounts as well", async () => {
  using directory = temporaryDirectory();
  mountFilesystem({ type: "tmpfs", target: directory.path });
  const source = `
    import { parentPort, workerData } from "node:worker_threads";
    import { releaseMount } from ${JSON.stringify(new URL("./mount.ts", import.meta.url).href)};
    await releaseMount(workerData);
    parentPort.postMessage("done");`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: directory.path,
  });
  await Promise.all([once(worker, "message"), once(worker, "exit")]);
  assert.deepEqual(findMounts(directory.path), []);
});
