import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import fc from "fast-check";
import { familiarReference, formatReference, parseReference } from "../reference.ts";
import { checkLayoutVersion, decodeDockerManifest, decodeLayoutIndex } from "./archive-index.ts";

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const DIGEST = `sha256:${"a".repeat(64)}`;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

const layout = (annotations: Readonly<Record<string, string>>) =>
  decodeLayoutIndex(
    json({ schemaVersion: 2, manifests: [{ mediaType: MANIFEST, digest: DIGEST, size: 1, annotations }] }),
  )[0]?.name;

test("manifest.json", () => {
  const [entry] = decodeDockerManifest(
    json([{ Config: "c.json", RepoTags: ["a:1", "quay.io/b/c:2"], Layers: ["x/layer.tar"], Extra: 1 }]),
  );
  assert.deepEqual(entry?.tags.map(familiarReference), ["a:1", "quay.io/b/c:2"]);
  assert.deepEqual([entry?.config, entry?.layers], ["c.json", ["x/layer.tar"]]);
  assert.deepEqual(decodeDockerManifest(json([{ Config: "c", RepoTags: null, Layers: null }])), [
    { config: "c", layers: [], tags: [] },
  ]);
  assert.throws(() => decodeDockerManifest(json([{ Config: "c", RepoTags: ["Bad:1"] }])), /"Bad:1" is no name/);
  assert.throws(() => decodeDockerManifest(json([{ Layers: [] }])), /Config: expected a string/);
});

test("names in a layout", () => {
  const name = (annotations: Readonly<Record<string, string>>) => {
    const found = layout(annotations);
    return found === undefined ? undefined : formatReference(found);
  };
  const ref = "org.opencontainers.image.ref.name";
  assert.equal(name({ "io.containerd.image.name": "docker.io/library/a:1", [ref]: "1" }), "docker.io/library/a:1");
  assert.equal(name({ [ref]: "quay.io/x/y:2" }), "quay.io/x/y:2");
  assert.equal(name({ [ref]: "x/y" }), "docker.io/x/y:latest");
  // Only a tag: the repository is not known.
  assert.equal(name({ [ref]: "latest" }), undefined);
  assert.equal(name({}), undefined);
  assert.throws(() => checkLayoutVersion(json({ imageLayoutVersion: "2.0.0" })), /version 2.0.0 is unknown/);
});

const part = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(DIGEST, MANIFEST, "a:1", "c.json", ["x/layer.tar"], { digest: DIGEST, size: 1 }),
);

/** Documents that are nearly right. */
const document = fc.oneof(
  fc.jsonValue(),
  fc.array(fc.record({ Config: part, RepoTags: part, Layers: part }, { requiredKeys: [] })),
  fc.record({
    schemaVersion: fc.constantFrom<unknown>(2, 1, "2", null),
    manifests: fc.array(fc.record({ mediaType: part, digest: part, size: part, annotations: part })),
  }),
);

test("any document is read or refused as an invalid argument", () => {
  fc.assert(
    fc.property(fc.oneof(document.map(json), fc.uint8Array()), (bytes) => {
      for (const decode of [decodeDockerManifest, decodeLayoutIndex, checkLayoutVersion]) {
        try {
          decode(bytes);
        } catch (error) {
          assert.ok(error instanceof InvalidArgument, String(error));
        }
      }
    }),
  );
});

test("a name in manifest.json comes back as it was written", () => {
  const name = fc.stringMatching(/^[a-z0-9]{1,8}(\/[a-z0-9]{1,8})?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/);
  fc.assert(
    fc.property(name, (text) => {
      const [entry] = decodeDockerManifest(json([{ Config: "c", RepoTags: [text], Layers: [] }]));
      assert.deepEqual(entry?.tags.map(familiarReference), [familiarReference(parseReference(text))]);
    }),
  );
});
