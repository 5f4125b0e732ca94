import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { InvalidArgument, ResourceExhausted, Unsupported } from "@boxship/base";
import { mount, UnmountFlag, unmount } from "@boxship/kernel";
import { makeTar, runProgram } from "@boxship/testkit";
import fc from "fast-check";
import type { ContentStore } from "../../content-store/contract.ts";
import { openContentStore } from "../../content-store/filesystem.ts";
import { digestOf } from "../../digest.ts";
import { MediaType } from "../../media-types.ts";
import { readTar } from "../tar/reader.ts";
import { compressParallel } from "./compress-parallel.ts";
import { compressLayer, diffIdOf, endMakeLayerWorkers, type LayerSource, makeLayer } from "./make-layer.ts";

let root: string;
let store: ContentStore;
const archive = makeTar([
  { name: "etc", type: "directory" },
  { name: "etc/motd", content: "hello ".repeat(50_000) },
]);

before(async () => {
  root = await mkdtemp(join(tmpdir(), "boxship-make-"));
  store = await openContentStore({ root: join(root, "content") });
});

after(async () => {
  await endMakeLayerWorkers();
  await rm(root, { recursive: true, force: true });
});

async function make(source: LayerSource, into: ContentStore = store) {
  using lease = into.lease();
  return await makeLayer({ source, store: into, lease });
}

/** The bytes are given away, so they are a copy. */
const fromBytes = (bytes: Uint8Array): LayerSource => ({
  kind: "archive",
  archive: Readable.from([new Uint8Array(bytes)]),
});

test("an archive is kept as it came, whatever it is compressed with, under its own diff id", async () => {
  const forms = [
    [archive, MediaType.OciLayer],
    [gzipSync(archive), MediaType.OciLayerGzip],
    [zstdCompressSync(archive), MediaType.OciLayerZstd],
  ] as const;
  for (const [bytes, mediaType] of forms) {
    const { descriptor, diffId, size, entries } = await make(fromBytes(bytes));
    assert.deepEqual(descriptor, { mediaType, digest: digestOf(bytes), size: bytes.length });
    assert.deepEqual({ diffId, size, entries }, { diffId: digestOf(archive), size: 300_000, entries: 2 });
    assert.ok(Buffer.from(await store.read(descriptor.digest)).equals(bytes));
    assert.equal(await diffIdOf(store, descriptor), diffId);
  }
  assert.equal((await store.usage()).ingests, 0);
});

test("a plain layer is compressed to the same content, always to the same bytes", async () => {
  using lease = store.lease();
  const { descriptor } = await make(fromBytes(archive));
  const compressed = await compressLayer(descriptor, { store, lease });
  assert.equal(compressed.mediaType, MediaType.OciLayerGzip);
  assert.ok(gunzipSync(await store.read(compressed.digest)).equals(archive));
  assert.deepEqual(await compressLayer(descriptor, { store, lease }), compressed);
  assert.equal(await compressLayer(compressed, { store, lease }), compressed);
  const docker = await compressLayer({ ...descriptor, mediaType: MediaType.DockerLayer }, { store, lease });
  assert.equal(docker.mediaType, MediaType.DockerLayerGzip);
});

test("a directory becomes a layer without what is left out", async () => {
  const tree = join(root, "tree");
  mkdirSync(join(tree, "keep/deep"), { recursive: true });
  mkdirSync(join(tree, "mount/inner"), { recursive: true });
  writeFileSync(join(tree, "keep/file"), "x");
  writeFileSync(join(tree, "mount/file"), "x");
  symlinkSync("file", join(tree, "keep/link"));
  const options = { whiteouts: true, exclude: new Set(["mount", "keep/file"]) };
  const { descriptor, entries } = await make({ kind: "directory", path: tree, options });
  const names = await Array.fromAsync(readTar([await store.read(descriptor.digest)]), ({ entry }) => entry.name);
  assert.deepEqual(names, ["keep", "keep/deep", "keep/link"]);
  assert.equal(entries, 3);
  const again = await make({ kind: "directory", path: tree, options });
  assert.equal(again.descriptor.digest, descriptor.digest);
  const nothing = await make({ kind: "directory", path: tree, options: { exclude: new Set(["mount", "keep"]) } });
  assert.equal(nothing.entries, 0);
});

test("what is no archive is refused and leaves nothing", async () => {
  const packed = gzipSync(archive);
  const cases: readonly (readonly [Uint8Array, RegExp, new (message: string) => Error])[] = [
    [Buffer.alloc(0), /empty/, InvalidArgument],
    [archive.subarray(0, 2000), /truncated|ends/, InvalidArgument],
    [packed.subarray(0, packed.length - 20), /truncated/, InvalidArgument],
    [randomBytes(5000), /checksum|tar/, InvalidArgument],
    [Buffer.from("fd377a585a000000", "hex"), /xz compression is not supported/, Unsupported],
  ];
  const blobs = (await store.usage()).blobs;
  for (const [bytes, message, type] of cases) {
    await assert.rejects(make(fromBytes(bytes)), (error) => error instanceof type && message.test(error.message));
  }
  const failing: LayerSource = {
    kind: "archive",
    archive: (async function* () {
      yield Buffer.from(archive.subarray(0, 512));
      throw new Error("the client is gone");
    })(),
  };
  await assert.rejects(make(failing), /the client is gone/);
  const { blobs: left, ingests } = await store.usage();
  assert.deepEqual([left, ingests], [blobs, 0]);
});

test("clients that never send their archives keep nobody waiting", async () => {
  const controller = new AbortController();
  using lease = store.lease();
  const waiting = Array.from({ length: 30 }, () => {
    const source: LayerSource = { kind: "archive", archive: new Readable({ read: () => {} }) };
    return makeLayer({ source, store, lease, signal: controller.signal });
  });
  const ended = Promise.allSettled(waiting);
  const { descriptor } = await make(fromBytes(archive));
  await compressLayer(descriptor, { store, lease });
  controller.abort();
  for (const { status } of await ended) assert.equal(status, "rejected");
});

test("a full disk is said to be full, and gets back what was written", async (t) => {
  const full = await mkdtemp(join(tmpdir(), "boxship-make-full-"));
  mount({ source: "tmpfs", target: full, type: "tmpfs", data: "size=1m" });
  t.after(async () => {
    unmount(full, UnmountFlag.Detach);
    await rm(full, { recursive: true });
  });
  const small = await openContentStore({ root: full });
  const large = makeTar([{ name: "large", content: randomBytes(3_000_000) }]);
  await assert.rejects(make(fromBytes(large), small), ResourceExhausted);
  assert.equal((await small.usage()).ingestBytes, 0);
});

test("a layer becomes one of zstd, of gzip or a plain one, and holds the same", async () => {
  using lease = store.lease();
  const { descriptor } = await make(fromBytes(archive));
  const zstd = await compressLayer(descriptor, { store, lease, compression: "zstd" });
  assert.equal(zstd.mediaType, MediaType.OciLayerZstd);
  assert.ok(zstdDecompressSync(await store.read(zstd.digest)).equals(archive));
  assert.deepEqual(await compressLayer(descriptor, { store, lease, compression: "zstd" }), zstd);
  assert.equal(await compressLayer(zstd, { store, lease, compression: "gzip" }), zstd);
  const gzip = await compressLayer(zstd, { store, lease, compression: "gzip", force: true });
  assert.equal(gzip.mediaType, MediaType.OciLayerGzip);
  assert.ok(gunzipSync(await store.read(gzip.digest)).equals(archive));
  assert.deepEqual(await compressLayer(gzip, { store, lease, compression: "none", force: true }), descriptor);
  const random = makeTar([{ name: "random", content: Buffer.from(randomBytes(40_000).toString("hex")) }]);
  const { descriptor: other } = await make(fromBytes(random));
  const quick = await compressLayer(other, { store, lease, compression: "zstd", level: 1 });
  const small = await compressLayer(other, { store, lease, compression: "zstd", level: 19 });
  assert.notEqual(small.digest, quick.digest);
  const docker = await compressLayer(
    { ...descriptor, mediaType: MediaType.DockerLayerGzip, digest: gzip.digest },
    { store, lease, compression: "zstd", force: true },
  );
  assert.equal(docker.mediaType, "application/vnd.docker.image.rootfs.diff.tar.zstd");
});

/** From pieces that come in one and the same buffer. */
async function packedOf(pieces: readonly Buffer[], compression: "gzip" | "zstd"): Promise<Buffer> {
  const reused = Buffer.allocUnsafeSlow(Math.max(0, ...pieces.map(({ length }) => length)));
  function* source(): Generator<Buffer> {
    for (const piece of pieces) {
      piece.copy(reused);
      yield reused.subarray(0, piece.length);
      reused.fill(0xee);
    }
  }
  const packed: Buffer[] = [];
  for await (const piece of compressParallel(source(), { compression })) packed.push(Buffer.from(piece));
  return Buffer.concat(packed);
}

test("compressing side by side gives one file of the same content, which other programs read", async () => {
  const unpacks = { gzip: gunzipSync, zstd: zstdDecompressSync } as const;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("gzip" as const, "zstd" as const),
      fc.array(fc.integer({ min: 0, max: 3_000_000 }), { maxLength: 5 }),
      fc.integer({ min: 0, max: 255 }),
      async (compression, sizes, byte) => {
        const pieces = sizes.map((size, index) => Buffer.alloc(size, byte + index));
        const packed = await packedOf(pieces, compression);
        assert.ok(unpacks[compression](packed).equals(Buffer.concat(pieces)));
      },
    ),
    { numRuns: 20 },
  );
  const content = randomBytes(6_500_000);
  for (const compression of ["gzip", "zstd"] as const) {
    const packed = await packedOf([content], compression);
    const { stdout, status } = await runProgram(["sh", "-c", `${compression} -dc | sha256sum`], { input: packed });
    assert.equal(status, 0);
    assert.equal(stdout.split(" ")[0], createHash("sha256").update(content).digest("hex"));
  }
});

test("what does not compress leaves no garbage behind in gzip either", async () => {
  // Longer than gzip looks back.
  const noise = randomBytes(256 << 10);
  const held = process.memoryUsage().arrayBuffers;
  let most = 0;
  const pieces = Array.from({ length: 128 }, () => noise);
  let size = 0;
  for await (const { length } of compressParallel(pieces, { compression: "gzip", level: 1 })) {
    most = Math.max(most, process.memoryUsage().arrayBuffers - held);
    size += length;
  }
  assert.ok(size > 128 * noise.length);
  assert.ok(most < 20_000_000, `${most} bytes for 32 MB`);
});
