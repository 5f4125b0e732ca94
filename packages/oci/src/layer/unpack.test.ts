import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  appendFileSync,
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
import { gzipSync, zstdCompressSync } from "node:zlib";
import { mount, unmount } from "@boxship/kernel";
import { BlobProgress } from "./blob-source.ts";
import { bytesOf, tarEntry, writeTar } from "./tar/index.ts";
import { endUnpackWorkers, type UnpackRequest, unpackLayer } from "./unpack.ts";

after(endUnpackWorkers);

const FILES = 100;

async function* members() {
  yield { entry: tarEntry({ type: "directory", name: bytesOf("d"), mtime: 12 }) };
  for (let index = 0; index < FILES; index++) {
    const body = Buffer.from(`content ${index}\n`.repeat(index));
    yield { entry: tarEntry({ type: "file", name: bytesOf(`d/f${index}`), size: body.length, mtime: index }), body };
  }
}

const archive = Buffer.concat(await Array.fromAsync(writeTar(members())));
const diffId = `sha256:${createHash("sha256").update(archive).digest("hex")}`;

function sandbox() {
  const directory = mkdtempSync(join(tmpdir(), "boxship-unpack-"));
  const targetDirectory = join(directory, "layer");
  mkdirSync(targetDirectory);
  const request = (blob: Buffer, more: Partial<UnpackRequest> = {}): UnpackRequest => {
    const blobPath = join(directory, "blob");
    writeFileSync(blobPath, blob);
    return { blobPath, mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", diffId, targetDirectory, ...more };
  };
  const dispose = () => rmSync(directory, { recursive: true, force: true });
  return { directory, targetDirectory, request, [Symbol.dispose]: dispose };
}

test("gzip, zstd and plain layers are unpacked and verified", async () => {
  for (const blob of [gzipSync(archive), zstdCompressSync(archive), archive]) {
    using box = sandbox();
    const result = await unpackLayer(box.request(blob));
    assert.equal(result.diffId, diffId);
    assert.equal(result.entries, FILES + 1);
    assert.equal(result.archiveSize, archive.length);
    assert.equal(readFileSync(join(box.targetDirectory, "d/f7"), "utf8"), "content 7\n".repeat(7));
    assert.equal(statSync(join(box.targetDirectory, "d")).mtimeMs, 12_000);
  }
});

test("a wrong diff id, a truncated and a corrupt layer are refused", async () => {
  const refused = async (blob: Buffer, message: RegExp, more: Partial<UnpackRequest> = {}) => {
    using box = sandbox();
    await assert.rejects(unpackLayer(box.request(blob, more)), { name: "InvalidArgument", message });
  };
  await refused(archive, /diff id sha256:/, { diffId: `sha256:${"0".repeat(64)}` });
  await refused(gzipSync(archive).subarray(0, 500), /gzip stream is truncated/);
  await refused(
    archive.subarray(0, 30_000),
    /tar archive at offset 29696 after entry "d\/f\d+": the archive is truncated/,
  );
  const corrupt = Buffer.from(archive);
  corrupt.fill(7, 5120 + 10, 5120 + 20);
  await refused(gzipSync(corrupt), /at offset 5120 after entry "d\/f\d+": the header's checksum is wrong/);
  using box = sandbox();
  await assert.rejects(unpackLayer(box.request(gzipSync(archive), { maxBytes: 1000 })), { name: "ResourceExhausted" });
});

test("layers are unpacked side by side", async () => {
  const boxes = Array.from({ length: 6 }, sandbox);
  try {
    const results = await Promise.all(boxes.map((box) => unpackLayer(box.request(gzipSync(archive)))));
    assert.ok(results.every((result) => result.diffId === diffId));
  } finally {
    for (const box of boxes) box[Symbol.dispose]();
  }
});

test("a blob is unpacked while it is still downloaded", async () => {
  using box = sandbox();
  const blob = gzipSync(archive);
  const follow = new BlobProgress();
  const request = box.request(Buffer.alloc(0), { follow });
  const unpacking = unpackLayer(request);
  for (let at = 0; at < blob.length; at += 4000) {
    appendFileSync(request.blobPath, blob.subarray(at, at + 4000));
    follow.advance(Math.min(blob.length, at + 4000));
    await delay(1);
  }
  follow.complete();
  assert.equal((await unpacking).diffId, diffId);
  assert.equal(readdirSync(join(box.targetDirectory, "d")).length, FILES);

  using failing = sandbox();
  const broken = new BlobProgress();
  const failed = unpackLayer(failing.request(blob.subarray(0, 500), { follow: broken }));
  broken.advance(500);
  setTimeout(() => broken.fail(), 20);
  await assert.rejects(failed, { name: "Unavailable" });
});

test("an aborted task stops writing", async () => {
  using box = sandbox();
  const controller = new AbortController();
  const follow = new BlobProgress();
  const unpacking = unpackLayer(box.request(Buffer.alloc(0), { follow, signal: controller.signal }));
  setTimeout(() => controller.abort(new Error("changed my mind")), 30);
  await assert.rejects(unpacking, /changed my mind/);
});

test("a full disk is named across the thread", async () => {
  using box = sandbox();
  mount({ source: "small", target: box.targetDirectory, type: "tmpfs", data: "size=128k" });
  try {
    await assert.rejects(unpackLayer(box.request(gzipSync(archive))), {
      name: "ResourceExhausted",
      message: /tar entry "d\/f\d+": no space left on .*\/layer \(tmpfs on small\)/,
    });
  } finally {
    unmount(box.targetDirectory);
  }
});

test("thousands of tiny files fit, and no descriptor is left open by success or failure", async () => {
  async function* tiny() {
    const body = Buffer.from("tiny");
    for (let index = 0; index < 5_000; index++) {
      yield { entry: tarEntry({ type: "file", name: bytesOf(`${index % 300}/${index}`), size: 4 }), body };
    }
  }
  const many = gzipSync(Buffer.concat(await Array.fromAsync(writeTar(tiny()))), { level: 1 });
  using warm = sandbox();
  await unpackLayer(warm.request(gzipSync(archive)));
  const before = readdirSync("/proc/self/fd").length;
  using box = sandbox();
  const result = await unpackLayer(box.request(many, { diffId: undefined }));
  assert.deepEqual([result.entries, result.size], [5_000, 20_000]);
  for (let round = 0; round < 5; round++) {
    using failing = sandbox();
    await assert.rejects(unpackLayer(failing.request(gzipSync(archive.subarray(0, 20_000)))));
  }
  assert.ok(readdirSync("/proc/self/fd").length <= before + 1, "descriptors");
});
