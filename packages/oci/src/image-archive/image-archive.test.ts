import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream, readdirSync, readlinkSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { after, before, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { InvalidArgument, NotFound } from "@boxship/base";
import { makeTar, runProgram, type TarEntry } from "@boxship/testkit";
import type { ImageRecord } from "../image-store/contract.ts";
import { endMakeLayerWorkers } from "../layer/make/make-layer.ts";
import { endUnpackWorkers } from "../layer/unpack.ts";
import { parsePlatform } from "../platform.ts";
import { familiarReference } from "../reference.ts";
import { loadImages } from "./load-images.ts";
import { endImageArchiveWorkers } from "./read-archive.ts";
import { saveImages } from "./save-images.ts";
import { type ImageBench, imageBench } from "./testing.ts";

let source: ImageBench;
let image: ImageRecord;
let archive: string;

async function skopeo(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runProgram(["skopeo", "--insecure-policy", ...args]);
  assert.equal(status, 0, stderr);
  return stdout;
}

const names = (tags: readonly Parameters<typeof familiarReference>[0][]) => tags.map(familiarReference).sort();

async function save(bench: ImageBench, ...records: readonly ImageRecord[]): Promise<Buffer> {
  return buffer(await saveImages({ store: bench.store, images: records }));
}

/** The members of an archive, to be changed and written again. */
async function members(bytes: Buffer): Promise<Map<string, Buffer>> {
  const { readTar } = await import("../layer/tar/reader.ts");
  const files = new Map<string, Buffer>();
  for await (const { entry, body } of readTar([bytes])) {
    if (entry.type === "file") files.set(entry.name, Buffer.concat(await Array.fromAsync(body, (b) => Buffer.from(b))));
  }
  return files;
}

const rewrite = (files: ReadonlyMap<string, Buffer>, more: readonly TarEntry[] = []) =>
  makeTar([...[...files].map(([name, content]) => ({ name, content })), ...more]);

before(async () => {
  source = await imageBench();
  image = await source.image(
    ["app:1", "registry.test:5000/team/app:v2"],
    ["one", randomBytes(300_000).toString("hex"), "three"],
  );
  archive = join(source.directory, "saved.tar");
  await pipeline(await saveImages({ store: source.store, images: [image] }), createWriteStream(archive));
});

after(async () => {
  await source[Symbol.asyncDispose]();
  await endImageArchiveWorkers();
  await endMakeLayerWorkers();
  await endUnpackWorkers();
});

/** Empty where it was closed meanwhile. */
function readlinkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

describe("saving", () => {
  test("the same images give the same bytes, which tar and skopeo read", async () => {
    const again = await save(source, image);
    assert.deepEqual(again, await readFile(archive));
    const { stdout } = await runProgram(["tar", "-tf", archive]);
    const listed = stdout.trim().split("\n");
    assert.deepEqual(listed.slice(-4), ["index.json", "manifest.json", "oci-layout", "repositories"]);
    assert.deepEqual(listed.slice(0, 2), ["blobs/", "blobs/sha256/"]);
    assert.deepEqual(listed, [...listed].sort());
    for (const transport of [`docker-archive:${archive}`, `oci-archive:${archive}:1`]) {
      const inspected = JSON.parse(await skopeo("inspect", transport)) as { Layers: string[]; Digest: string };
      assert.equal(inspected.Layers.length, 3, transport);
      if (transport.startsWith("oci")) assert.equal(inspected.Digest, image.manifest.digest);
    }
    const tags = JSON.parse(await skopeo("list-tags", `docker-archive:${archive}`)) as { Tags: string[] };
    assert.deepEqual(tags.Tags.sort(), names(image.tags));
  });

  test("what skopeo copies out of it has the image's id", async () => {
    // Into an OCI layout skopeo writes the configuration of a docker-archive anew.
    const copies = [
      [`docker-archive:${archive}:app:1`, "dir"],
      [`oci-archive:${archive}:v2`, "oci"],
    ] as const;
    for (const [from, kind] of copies) {
      const target = `${kind}:${join(source.directory, `copied-${kind}`)}`;
      await skopeo("copy", "--quiet", from, target);
      const { config } = JSON.parse(await skopeo("inspect", "--raw", target)) as { config: { digest: string } };
      assert.equal(config.digest, image.id, kind);
    }
  });

  test("content stays while it is being read, and a missing blob is an error before the first byte", async () => {
    await using bench = await imageBench();
    const made = await bench.image(["gone:1"], ["a"]);
    const stream = await saveImages({ store: bench.store, images: [made] });
    await bench.store.sweep(() => false);
    assert.ok((await buffer(stream)).length > 1024);
    await bench.store.sweep(() => false);
    await assert.rejects(saveImages({ store: bench.store, images: [made] }), /not in the content store/);
  });
});

describe("loading", () => {
  test("our own archive, plain and compressed, with manifest, names and layers", async () => {
    const bytes = await readFile(archive);
    for (const packed of [bytes, gzipSync(bytes), zstdCompressSync(bytes)]) {
      await using bench = await imageBench();
      const [loaded, ...others] = await bench.load([packed]);
      assert.equal(others.length, 0);
      assert.equal(loaded?.id, image.id);
      assert.equal(loaded?.manifest.digest, image.manifest.digest);
      assert.deepEqual(names(loaded?.tags ?? []), names(image.tags));
      assert.equal(bench.unpacked.length, 3);
    }
  });

  test("several images, some without a name, in pieces of any size", async () => {
    const second = await source.image([], ["two"]);
    const bytes = await save(source, image, second);
    await using bench = await imageBench();
    const pieces = Array.from({ length: Math.ceil(bytes.length / 777) }, (_, n) =>
      bytes.subarray(n * 777, (n + 1) * 777),
    );
    const loaded = await bench.load(pieces);
    assert.deepEqual(
      loaded.map(({ id, tags }) => [id, tags.length]),
      [
        [image.id, 2],
        [second.id, 0],
      ],
    );
  });

  test("what skopeo writes: docker-archive with links, oci-archive", async () => {
    const docker = join(source.directory, "skopeo-docker.tar");
    const oci = join(source.directory, "skopeo-oci.tar");
    const plain = join(source.directory, "skopeo-plain.tar");
    await skopeo("copy", "--quiet", `oci-archive:${archive}:1`, `docker-archive:${docker}:team/app:9`);
    await skopeo("copy", "--quiet", `oci-archive:${archive}:1`, `oci-archive:${oci}:quay.io/team/app:9`);
    await skopeo("copy", "--quiet", `oci-archive:${archive}:1`, `oci-archive:${plain}`);
    const expected = [
      [docker, ["team/app:9"]],
      [oci, ["quay.io/team/app:9"]],
      [plain, []],
    ] as const;
    for (const [file, tags] of expected) {
      await using bench = await imageBench();
      const [loaded] = await bench.load(createReadStream(file));
      assert.equal(loaded?.id, image.id, file);
      assert.deepEqual(names(loaded?.tags ?? []), tags);
      assert.equal(bench.unpacked.length, 3);
    }
  });

  test("layers that are unpacked already are verified, known ones are believed", async () => {
    await using bench = await imageBench();
    const files = await members(await readFile(archive));
    const [, other] = (await source.image([], ["x", "y"])).layers;
    assert.ok(other);
    const wrong = Buffer.from(await source.store.read(other.digest));
    const index = JSON.parse(String(files.get("index.json"))) as { manifests: { digest: string; size: number }[] };
    const manifestName = `blobs/sha256/${index.manifests[0]?.digest.slice(7)}`;
    const manifest = JSON.parse(String(files.get(manifestName))) as { layers: { digest: string; size: number }[] };
    manifest.layers[2] = { ...manifest.layers[2], digest: other.digest, size: other.size };
    const changed = Buffer.from(JSON.stringify(manifest));
    const digest = createHash("sha256").update(changed).digest("hex");
    for (const entry of index.manifests) Object.assign(entry, { digest: `sha256:${digest}`, size: changed.length });
    files.set("index.json", Buffer.from(JSON.stringify(index)));
    files.set(`blobs/sha256/${digest}`, changed);
    files.set(`blobs/sha256/${other.digest.slice(7)}`, wrong);
    const request = { store: bench.store, unpackLayer: bench.unpackLayer, isUnpacked: () => true };
    const load = async (isKnown: () => boolean) => {
      using lease = bench.store.lease();
      return await loadImages({
        ...request,
        archive: (async function* () {
          yield rewrite(files);
        })(),
        lease,
        isKnown,
      });
    };
    await assert.rejects(
      load(() => false),
      /diff id/,
    );
    assert.equal((await load(() => true)).length, 1);
    assert.equal(bench.unpacked.length, 0);
  });

  test("only the platform that was asked for", async () => {
    await using bench = await imageBench();
    using lease = bench.store.lease();
    const request = { store: bench.store, lease, unpackLayer: bench.unpackLayer, isUnpacked: () => true };
    const load = (platform: string) =>
      loadImages({ ...request, archive: createReadStream(archive), platform: parsePlatform(platform) });
    await assert.rejects(
      load("linux/s390x"),
      (error) => error instanceof NotFound && /linux\/s390x/.test(error.message),
    );
    assert.equal((await load(`linux`)).length, 1);
  });
});

describe("archives that are refused", () => {
  const refused = async (bytes: Uint8Array, expected: RegExp, type = InvalidArgument) => {
    await using bench = await imageBench();
    await assert.rejects(bench.load([bytes]), (error) => {
      assert.ok(error instanceof type, String(error));
      assert.match(error.message, expected);
      return true;
    });
    // Nothing of it is referenced, so a sweep leaves nothing.
    await bench.store.sweep(() => false);
    assert.deepEqual(await bench.store.usage(), { blobs: 0, blobBytes: 0, ingests: 0, ingestBytes: 0 });
  };

  test("cut at any place", async () => {
    const bytes = await readFile(archive);
    for (const part of [0.05, 0.5, 0.9])
      await refused(bytes.subarray(0, Math.floor(bytes.length * part)), /truncated|ends|lacks|neither/);
    const packed = gzipSync(bytes);
    await refused(packed.subarray(0, packed.length / 2), /truncated/);
  });

  test("blobs that are not what their names say", async () => {
    const files = await members(await readFile(archive));
    const name = `blobs/sha256/${image.layers[0]?.digest.slice(7)}`;
    const content = Buffer.from(files.get(name) ?? "");
    content[20] = (content[20] ?? 0) ^ 1;
    await refused(rewrite(new Map([...files, [name, content]])), /has the digest sha256:/);
    await refused(rewrite(new Map([...files, ["blobs/sha256/short", content]])), /without a digest/);
  });

  test("layers that are not what the configuration says", async () => {
    const config = JSON.stringify({
      os: "linux",
      architecture: "amd64",
      rootfs: { type: "layers", diff_ids: [`sha256:${"0".repeat(64)}`] },
    });
    const manifest = JSON.stringify([{ Config: "config.json", RepoTags: ["x:1"], Layers: ["a/layer.tar"] }]);
    const layer = makeTar([{ name: "f", content: "x" }]);
    const files = [
      { name: "config.json", content: config },
      { name: "a/layer.tar", content: layer },
      { name: "manifest.json", content: manifest },
    ];
    await refused(makeTar(files), /diff id/);
    await refused(makeTar(files.slice(0, 2)), /neither a manifest.json nor an index.json/);
    await refused(makeTar(files.slice(1)), /lacks "config.json"/);
    await refused(makeTar([...files, { name: "./manifest.json", content: manifest }]), /more than once/);
    const badName = [{ Config: `${"1".repeat(64)}.json`, Layers: [] }];
    await refused(
      makeTar([
        { name: `${"1".repeat(64)}.json`, content: config },
        { name: "manifest.json", content: JSON.stringify(badName) },
      ]),
      /has the digest/,
    );
  });

  test("names and links that leave the archive", async () => {
    await refused(makeTar([{ name: "../manifest.json", content: "[]" }]), /leaves the root/);
    await refused(makeTar([{ name: "a", type: "symlink", link: "../../etc/passwd" }]), /leaves the root/);
    await writeFile(join(source.directory, "outside"), "secret");
    const manifest = JSON.stringify([{ Config: "c", Layers: [] }]);
    for (const link of [join(source.directory, "outside"), "/etc/passwd", "c"]) {
      await refused(
        makeTar([
          { name: "c", type: "symlink", link },
          { name: "manifest.json", content: manifest },
        ]),
        /lacks "c"/,
      );
    }
  });

  test("what is no archive of images", async () => {
    await refused(makeTar([{ name: "etc/passwd", content: "root" }]), /neither a manifest.json nor an index.json/);
    // The last file is taken although the refusal comes another way, and may come first.
    const open = readdirSync("/proc/self/fd").map((fd) => readlinkOf(`/proc/self/fd/${fd}`));
    assert.deepEqual(
      open.filter((path) => path.endsWith(".active")),
      [],
    );
    await refused(Buffer.from("hello".repeat(1000)), /./);
    await refused(Buffer.from("fd377a585a000000", "hex"), /the xz stream is truncated/);
    await refused(makeTar([{ name: "manifest.json", content: "[]" }]), /no images/);
    await refused(makeTar([{ name: "manifest.json", content: "{" }]), /not JSON/);
  });

  test("a client that goes away leaves nothing", async () => {
    const bytes = await readFile(archive);
    await using bench = await imageBench();
    async function* cut() {
      yield bytes.subarray(0, bytes.length / 2);
      throw new Error("gone");
    }
    await assert.rejects(bench.load(cut()), /gone/);
    const stop = new AbortController();
    async function* endless() {
      yield bytes.subarray(0, bytes.length / 2);
      setImmediate(() => stop.abort(new Error("enough")));
      await new Promise(() => {});
    }
    using lease = bench.store.lease();
    const request = { store: bench.store, lease, unpackLayer: bench.unpackLayer, isUnpacked: () => false };
    await assert.rejects(loadImages({ ...request, archive: endless(), signal: stop.signal }), /enough/);
    assert.equal((await bench.store.usage()).ingests, 0);
  });
});
