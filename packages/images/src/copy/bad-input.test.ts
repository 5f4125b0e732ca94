import { deepEqual, equal, rejects } from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { BoxshipError } from "@boxship/base";
import { digestOf } from "@boxship/oci";
import { makeTar, tempDir } from "@boxship/testkit";
import { assert as check, constantFrom, jsonValue, property, string } from "fast-check";
import { parseSyncFile } from "../sync/sync-file.ts";
import { directoryDestination, directorySource } from "../transport/directory.ts";
import { dockerArchiveSource } from "../transport/docker-archive-source.ts";
import { parseImageName, TRANSPORTS } from "../transport/image-name.ts";
import { layoutArchiveSource } from "../transport/layout-archive.ts";
import { decodeIndex, findEntry, withEntry } from "../transport/layout-index.ts";
import { copyImage } from "./copy-image.ts";

const OCI = "application/vnd.oci.image";
const config = Buffer.from(
  JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } }),
);

function manifest(more: object = {}): Buffer {
  const descriptor = { mediaType: `${OCI}.config.v1+json`, digest: digestOf(config), size: config.length };
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`, config: descriptor, layers: [], ...more }),
  );
}

const entryOf = (bytes: Uint8Array, more: object = {}) => ({
  mediaType: `${OCI}.manifest.v1+json`,
  digest: digestOf(bytes),
  size: bytes.byteLength,
  platform: { os: "linux", architecture: "amd64" },
  ...more,
});

const index = (...manifests: readonly object[]) =>
  Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests }));

const hex = (bytes: Uint8Array) => digestOf(bytes).slice("sha256:".length);

test("images that are not what they say are refused, and leave no image behind", async () => {
  await using directory = tempDir("bad");
  const good = manifest();
  const layer = Buffer.from("not what the digest says");
  const deep = (depth: number): Record<string, Buffer> => {
    const files: Record<string, Buffer> = { [`${hex(good)}.manifest.json`]: good };
    let inner: object = entryOf(good);
    for (let level = 0; level < depth; level++) {
      const bytes = index(inner);
      files[`${hex(bytes)}.manifest.json`] = bytes;
      inner = entryOf(bytes, { mediaType: `${OCI}.index.v1+json` });
      files["manifest.json"] = bytes;
    }
    return files;
  };
  const wrong = (more: object) => ({
    mediaType: `${OCI}.layer.v1.tar`,
    digest: digestOf("other"),
    size: layer.length,
    ...more,
  });
  const cases: readonly (readonly [string, Readonly<Record<string, Buffer>>, RegExp])[] = [
    [
      "damaged layer",
      { "manifest.json": manifest({ layers: [wrong({})] }), [hex(Buffer.from("other"))]: layer },
      /is damaged/,
    ],
    ["missing layer", { "manifest.json": manifest({ layers: [wrong({})] }) }, /no such file/],
    ["50 MB manifest", { "manifest.json": Buffer.alloc(50 * 1024 * 1024, " ") }, /is too large: 52428800 bytes/],
    [
      "key twice",
      { "manifest.json": Buffer.from(good.toString().replace("{", '{"schemaVersion":2,')) },
      /"schemaVersion" twice/,
    ],
    ["both kinds", { "manifest.json": manifest({ manifests: [] }) }, /holds both manifests and layers/],
    ["wrong type", { "manifest.json": manifest({ mediaType: `${OCI}.index.v1+json` }) }, /does not fit its media type/],
    [
      "path as digest",
      { "manifest.json": manifest({ layers: [wrong({ digest: "sha256:../../../etc/passwd" })] }) },
      /malformed/,
    ],
    [
      "size of an entry",
      { "manifest.json": index(entryOf(good, { size: 1 })), [`${hex(good)}.manifest.json`]: good },
      /bytes instead of 1/,
    ],
    ["no manifest in an index", { "manifest.json": index(entryOf(good, { mediaType: "text/plain" })) }, /no manifest/],
    ["nested indexes", deep(9), /nested too deeply/],
    [
      "schema 1",
      { "manifest.json": Buffer.from('{"schemaVersion":1,"fsLayers":[]}') },
      /schema 1, which is not supported/,
    ],
  ];
  for (const [name, files, message] of cases) {
    const from = directory.join(name);
    mkdirSync(from);
    writeFileSync(`${from}/${hex(config)}`, config);
    for (const [file, bytes] of Object.entries(files)) writeFileSync(`${from}/${file}`, bytes);
    const to = directory.join(`${name} copied`);
    const copy = async () => {
      await using source = directorySource(from);
      await using destination = await directoryDestination(to);
      await copyImage({ source, destination, select: "all" });
    };
    await rejects(copy, (error: unknown) => error instanceof BoxshipError && message.test(error.message), name);
    equal(readdirSync(to).includes("manifest.json"), false, name);
    deepEqual(
      readdirSync(to).filter((file) => file.startsWith(".")),
      [],
      name,
    );
  }
});

test("archives with names that leave them, or that lack what they name, are refused", async () => {
  await using directory = tempDir("bad");
  const cases: readonly (readonly [string, readonly { name: string; content: string }[], RegExp])[] = [
    ["escape", [{ name: "../../evil", content: "x" }], /leaves/],
    [
      "lacks",
      [{ name: "manifest.json", content: '[{"Config":"a.json","RepoTags":[],"Layers":[]}]' }],
      /lacks "a.json"/,
    ],
    ["empty", [{ name: "manifest.json", content: "[]" }], /no image in the archive/],
    ["other", [{ name: "file", content: "x" }], /has no manifest.json/],
  ];
  for (const [name, entries, message] of cases) {
    const path = directory.join(`${name}.tar`);
    writeFileSync(path, makeTar(entries));
    await rejects(() => dockerArchiveSource(path, { kind: "only" }, path), message, name);
  }
  await rejects(() => layoutArchiveSource(directory.join("other.tar"), "", "x"), /has no index.json/);
  writeFileSync(directory.join("cut.tar"), makeTar([{ name: "a", content: "b".repeat(2000) }]).subarray(0, 1000));
  await rejects(() => layoutArchiveSource(directory.join("cut.tar"), "", "x"), BoxshipError);
});

test("no text makes a reader throw anything else than its own errors", () => {
  const own = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof BoxshipError)) throw error;
    }
  };
  check(
    property(constantFrom(...TRANSPORTS, "x"), string(), (transport, rest) => {
      own(() => parseImageName(`${transport}:${rest}`));
      own(() => parseImageName(`${transport}://${rest}`));
      own(() => parseImageName(rest));
    }),
  );
  check(property(string(), (text) => own(() => parseSyncFile(text, "file"))));
  check(property(jsonValue(), (value) => own(() => parseSyncFile(JSON.stringify({ "r.example": value }), "file"))));
  check(
    property(jsonValue(), (value) =>
      own(() => decodeIndex(Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: value })), "index")),
    ),
  );
});

test("a name in a layout leads to what was put there last, and other names stay", () => {
  const names = constantFrom("a", "b", "c");
  const digests = constantFrom("1", "2", "3");
  check(
    property(names, digests, names, digests, (first, one, second, two) => {
      const at = (content: string) => ({ mediaType: "x/y", digest: digestOf(content), size: 1 });
      const made = withEntry(
        withEntry({ document: { schemaVersion: 2 }, manifests: [] }, at(one), first),
        at(two),
        second,
      );
      equal(findEntry(made, second).digest, digestOf(two));
      equal(findEntry(made, first).digest, digestOf(first === second ? two : one));
    }),
  );
});
