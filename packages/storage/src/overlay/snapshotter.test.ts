import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { detachMountsBelow, mount, unmount } from "@boxship/kernel";
import { endStorageWorkers } from "../storage-pool.ts";
import { mountOverlay, PROBE, probeOverlay } from "./overlay-mount.ts";
import { Snapshotter } from "./snapshotter.ts";

after(endStorageWorkers);

const chain = (n: number) => `sha256:${String(n).padStart(64, "0")}`;

function sandbox() {
  const root = mkdtempSync(join(tmpdir(), "boxship-snapshots-"));
  const dispose = () => {
    detachMountsBelow(root);
    rmSync(root, { recursive: true, force: true });
  };
  return { root, [Symbol.dispose]: dispose };
}

async function layer(store: Snapshotter, n: number, files: Readonly<Record<string, string>>, parent?: number) {
  const stage = await store.prepareLayer(chain(n), parent === undefined ? undefined : chain(parent));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(stage.directory, name), text);
  await stage.commit(10 * n);
}

test("layers, containers and mounts live as they should", async () => {
  using box = sandbox();
  const store = await Snapshotter.open({ root: box.root });
  await layer(store, 1, { base: "1", both: "below" });
  await layer(store, 2, { both: "above" }, 1);
  assert.deepEqual([store.has(chain(1)), store.has(chain(2)), store.has(chain(3))], [true, true, false]);
  chmodSync(store.chainDirectories(chain(2))[0] as string, 0o750);

  await store.createContainer("c1", chain(2));
  await assert.rejects(store.createContainer("c1", undefined), { code: "AlreadyExists" });
  await assert.rejects(store.createContainer("c2", chain(9)), { code: "NotFound" });
  const merged = store.mountContainer("c1");
  assert.equal(store.mountContainer("c1"), merged);
  assert.equal(statSync(merged).mode & 0o777, 0o750);
  assert.equal(readFileSync(join(merged, "both"), "utf8"), "above");
  writeFileSync(join(merged, "own"), "x".repeat(5000));
  rmSync(join(merged, "base"));
  const usage = await store.usage("c1");
  assert.deepEqual(usage, { size: 8192, inodes: 2 });
  assert.equal(readFileSync(join(store.upperDirectory("c1"), "own"), "utf8").length, 5000);

  await assert.rejects(store.removeLayer(chain(1)), { code: "Conflict", message: /used by another layer/ });
  await assert.rejects(store.removeLayer(chain(2)), { code: "Conflict", message: /used by container c1/ });
  await store.unmountContainer("c1");
  await store.unmountContainer("c1");
  assert.deepEqual(readdirSync(merged), []);
  assert.ok(existsSync(join(store.mountContainer("c1"), "own")), "what was written stays");
  await store.removeContainer("c1");
  await store.removeContainer("c1");
  assert.deepEqual(store.listContainers(), []);
  assert.deepEqual(
    (await store.sweep((id) => id === chain(1))).map(({ chainId }) => chainId),
    [chain(2)],
  );
  await store.removeLayer(chain(1));
  await store.removeLayer(chain(1));
  await store[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(join(box.root, "trash")), []);
  assert.deepEqual(readdirSync(join(box.root, "layers")), []);
});

test("containers without an image and read-only mounts work", async () => {
  using box = sandbox();
  const store = await Snapshotter.open({ root: box.root });
  await store.createContainer("scratch", undefined);
  writeFileSync(join(store.mountContainer("scratch"), "f"), "1");
  await layer(store, 1, { f: "1" });
  await store.createContainer("ro", chain(1));
  const merged = store.mountContainer("ro", { readOnly: true });
  assert.throws(() => writeFileSync(join(merged, "f"), "2"), { code: "EROFS" });
  await store.removeContainer("ro");
  await store.removeContainer("scratch");
});

test("containers that are removed while they are counted take no space", async () => {
  using box = sandbox();
  await using store = await Snapshotter.open({ root: box.root });
  const ids = Array.from({ length: 20 }, (_, index) => `gone-${index}`);
  for (const id of ids) await store.createContainer(id, undefined);
  const usages = await Promise.all(
    ids.map(async (id) => {
      const removed = store.removeContainer(id);
      const usage = store.usage(id);
      await removed;
      return await usage;
    }),
  );
  assert.deepEqual(new Set(usages.map(({ size }) => size)), new Set([0]));
});

test("a writable layer with a limit takes no more, is read when nothing runs, and found again", async () => {
  using box = sandbox();
  const first = await Snapshotter.open({ root: box.root });
  await layer(first, 1, { base: "1" });
  chmodSync(first.chainDirectories(chain(1))[0] as string, 0o750);
  await first.createContainer("c", chain(1), { sizeLimit: 16 << 20 });
  const merged = first.mountContainer("c");
  assert.equal(statSync(merged).mode & 0o777, 0o750);
  assert.deepEqual(readdirSync(merged), ["base"]);
  writeFileSync(join(merged, "own"), Buffer.alloc(4 << 20));
  assert.throws(() => writeFileSync(join(merged, "more"), Buffer.alloc(32 << 20)), { code: "ENOSPC" });
  rmSync(join(merged, "more"));
  assert.ok((await first.usage("c")).size >= 4 << 20);
  await first.unmountContainer("c");
  assert.ok(existsSync(join(first.upperDirectory("c"), "own")), "what was written is there without the overlay");
  await first[Symbol.asyncDispose]();
  assert.equal(existsSync(join(first.upperDirectory("c"), "own")), false, "nothing is kept mounted");

  const second = await Snapshotter.open({ root: box.root });
  assert.ok(existsSync(join(second.upperDirectory("c"), "own")));
  assert.equal(statSync(join(second.mountContainer("c"), "own")).size, 4 << 20);
  // As after kill -9: nothing was let go of.
  const third = await Snapshotter.open({ root: box.root });
  assert.equal(third.mountContainer("c"), third.mergedDirectory("c"));
  await third.removeContainer("c");
  await third[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(join(box.root, "containers")), []);
});

/** What is in a directory, but for where it is tried how to mount. */
const leftIn = (directory: string): readonly string[] => readdirSync(directory).filter((name) => name !== PROBE);

test("layers are prepared side by side, children before parents, twice, and given up", async () => {
  using box = sandbox();
  const store = await Snapshotter.open({ root: box.root });
  await assert.rejects(store.prepareLayer(chain(2), chain(1)), { code: "NotFound" });
  const parent = await store.prepareLayer(chain(1));
  const twin = await store.prepareLayer(chain(1));
  const child = await store.prepareLayer(chain(2), chain(1));
  const committed = child.commit(1);
  const lowers = child.lowerDirectories();
  await delay(30);
  assert.equal(store.has(chain(2)), false);
  await assert.rejects(
    store.removeLayer(chain(1)).then(() => twin.abort().then(() => Promise.reject(new Error("x")))),
    /x/,
  );
  await parent.commit(1);
  await committed;
  assert.deepEqual(await lowers, store.chainDirectories(chain(1)));
  const again = await store.prepareLayer(chain(1));
  await again.commit(1);
  assert.equal(store.listLayers().length, 2);

  const failing = await store.prepareLayer(chain(3));
  const orphan = await store.prepareLayer(chain(4), chain(3));
  // It may fail before the second abort has ended.
  const refused = { code: "FailedPrecondition", message: /the layer below/ };
  const orphaned = assert.rejects(orphan.commit(1), refused);
  await failing.abort();
  await failing.abort();
  await orphaned;
  assert.deepEqual([store.has(chain(3)), store.has(chain(4))], [false, false]);
  await store[Symbol.asyncDispose]();
  assert.deepEqual(leftIn(join(box.root, "stages")), []);
});

test("what is open, mounted or broken is found again, the rest is cleaned up", async () => {
  using box = sandbox();
  const first = await Snapshotter.open({ root: box.root });
  await layer(first, 1, { f: "1" });
  await first.createContainer("live", chain(1));
  await first.createContainer("dead", chain(1));
  await first.createContainer("dead-image", chain(1));
  await first.createContainer("live-image", chain(1));
  for (const id of ["live", "dead", "live-image"]) first.mountContainer(id);
  const stage = await first.prepareLayer(chain(7));
  mkdirSync(join(box.root, "layers", "sha256-half"));
  const second = await Snapshotter.open({ root: box.root });
  assert.equal(existsSync(stage.directory), false);
  assert.deepEqual(
    second
      .listContainers()
      .map(({ id, mounted }) => `${id} ${mounted}`)
      .toSorted(),
    ["dead true", "dead-image false", "live true", "live-image true"],
  );
  await second.reconcile(["live"]);
  assert.deepEqual(
    second
      .listContainers()
      .map(({ id }) => id)
      .toSorted(),
    ["live", "live-image"],
  );
  assert.equal(existsSync(join(second.mergedDirectory("live"), "f")), true);
  await second[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(join(box.root, "layers")).length, 1);
});

test("after kill -9 at any moment every visible layer is whole", async () => {
  using box = sandbox();
  const script = fileURLToPath(new URL("./snapshotter.test-child.ts", import.meta.url));
  for (const [round, ms] of [5, 23, 60].entries()) {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, box.root], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    await delay(ms);
    child.kill("SIGKILL");
    await once(child, "exit");
    const store = await Snapshotter.open({ root: box.root });
    await store.reconcile([]);
    const layers = store.listLayers();
    for (const { chainId } of layers) {
      assert.ok(store.has(chainId), `round ${round}: the chain of ${chainId}`);
      const [directory = ""] = store.chainDirectories(chainId);
      assert.equal(readdirSync(directory).length, 20, `round ${round}: ${chainId}`);
    }
    await store[Symbol.asyncDispose]();
    for (const place of ["stages", "trash", "containers"]) assert.deepEqual(leftIn(join(box.root, place)), [], place);
  }
});

test("both ways to mount show the same, with odd characters and many layers", () => {
  using box = sandbox();
  const place = (name: string) => {
    const path = join(box.root, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const lowers = Array.from({ length: 120 }, (_, index) => place(`odd:dir,${index}\\ 'x'`));
  for (const [index, lower] of lowers.entries()) writeFileSync(join(lower, "who"), String(index));
  for (const method of ["descriptors", "data"] as const) {
    const target = place(`merged-${method}`);
    mountOverlay(method, { lowers, upper: place(`u,${method}`), work: place(`w:${method}`), target, options: {} });
    assert.equal(readFileSync(join(target, "who"), "utf8"), "0", method);
    writeFileSync(join(target, "new"), "1");
    unmount(target);
  }
  const request = { upper: box.root, work: box.root, target: box.root, options: {} };
  const many = { ...request, lowers: Array.from({ length: 501 }, () => box.root) };
  assert.throws(() => mountOverlay("descriptors", many), { code: "ResourceExhausted", message: /501 layers/ });
});

test("tmpfs is fine, an overlay below is refused with a remedy", async () => {
  using box = sandbox();
  mount({ source: "t", target: box.root, type: "tmpfs" });
  try {
    const store = await Snapshotter.open({ root: join(box.root, "state") });
    assert.equal(store.filesystem, "tmpfs");
    await layer(store, 1, { f: "1" });
    await store.createContainer("c", chain(1));
    rmSync(join(store.mountContainer("c"), "f"));
    await assert.rejects(Snapshotter.open({ root: join(store.mountContainer("c"), "nested") }), (error: Error) => {
      assert.equal(error.name, "Unsupported");
      assert.match(error.message, /cannot be mounted on .*\/nested.* \(overlayfs\)/);
      assert.match(String((error as { remedy?: string }).remedy), /use --root/);
      return true;
    });
    await store.removeContainer("c");
    await store[Symbol.asyncDispose]();
  } finally {
    unmount(box.root);
  }
  assert.throws(() => probeOverlay("/proc/self"), /ENOENT|EPERM|EACCES/);
});

test("large and deep trees are removed", async () => {
  using box = sandbox();
  const store = await Snapshotter.open({ root: box.root });
  await store.createContainer("deep", undefined);
  let directory = store.upperDirectory("deep");
  for (let depth = 0; depth < 150; depth++) {
    directory = join(directory, "d");
    mkdirSync(directory);
  }
  for (let index = 0; index < 500; index++) writeFileSync(join(store.upperDirectory("deep"), String(index)), "");
  await store.removeContainer("deep");
  await store[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(join(box.root, "trash")), []);
});

test("a full disk is named, and nothing half-made is left", async () => {
  using box = sandbox();
  mount({ source: "small", target: box.root, type: "tmpfs", data: "size=1m" });
  try {
    const root = join(box.root, "state");
    const store = await Snapshotter.open({ root });
    const stage = await store.prepareLayer(chain(1));
    const full = { code: "ResourceExhausted", message: `no space left on ${box.root} (tmpfs on small)` };
    assert.throws(() => writeFileSync(join(stage.directory, "big"), Buffer.alloc(2 << 20)), { code: "ENOSPC" });
    await assert.rejects(stage.commit(1), full);
    assert.equal(store.has(chain(1)), false);
    await store[Symbol.asyncDispose]();
    assert.deepEqual([leftIn(join(root, "stages")), readdirSync(join(root, "trash"))], [[], []]);

    writeFileSync(join(box.root, "filler"), Buffer.alloc(4096));
    assert.throws(() => writeFileSync(join(box.root, "filler"), Buffer.alloc(2 << 20)), { code: "ENOSPC" });
    await assert.rejects(store.createContainer("c", undefined), full);
    assert.deepEqual(store.listContainers(), []);
    rmSync(join(box.root, "filler"));
    await store.createContainer("c", undefined);
    await store.removeContainer("c");
    await store[Symbol.asyncDispose]();
  } finally {
    unmount(box.root);
  }
});
