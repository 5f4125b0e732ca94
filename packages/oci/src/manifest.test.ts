import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { BoxshipError, InvalidArgument, NotFound, Unsupported } from "@boxship/base";
import fc from "fast-check";
import type { Descriptor } from "./descriptor.ts";
import { chainIds, type Digest, digestOf, isDigest, parseDigest } from "./digest.ts";
import { configPlatform, decodeImageConfig, encodeImageConfig, type ImageConfig } from "./image-config.ts";
import { decodeManifest, encodeManifest, type ImageIndex, type ImageManifest, selectManifests } from "./manifest.ts";
import { isForeignLayer, layerCompression, MediaType } from "./media-types.ts";
import { formatPlatform, normalizePlatform, parsePlatform, platformRank } from "./platform.ts";

const D1: Digest = digestOf("one");
const D2: Digest = digestOf("two");

function bytes(document: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(document));
}

const CONFIG = { mediaType: MediaType.OciConfig, digest: D1, size: 10 };
const LAYER = { mediaType: MediaType.OciLayerGzip, digest: D2, size: 20 };
const MANIFEST = { schemaVersion: 2, mediaType: MediaType.OciManifest, config: CONFIG, layers: [LAYER] };
const INDEX = {
  schemaVersion: 2,
  mediaType: MediaType.OciIndex,
  manifests: [
    { mediaType: MediaType.OciManifest, digest: D1, size: 3, platform: { os: "linux", architecture: "arm64" } },
  ],
};

test("a manifest is read whether its media type is in it, in its transport, or in neither", () => {
  const { mediaType: _, ...bare } = MANIFEST;
  for (const [document, mediaType] of [
    [MANIFEST, undefined],
    [MANIFEST, MediaType.OciManifest],
    [MANIFEST, "application/json"],
    [bare, MediaType.OciManifest],
    [bare, undefined],
  ] as const) {
    const manifest = decodeManifest(bytes(document), mediaType === undefined ? {} : { mediaType });
    assert.equal(manifest.kind, "manifest");
    assert.equal(manifest.mediaType, MediaType.OciManifest);
    assert.deepEqual(manifest.kind === "manifest" && manifest.layers, [LAYER]);
  }
  assert.equal(decodeManifest(bytes(INDEX)).kind, "index");
  const list = { ...INDEX, mediaType: MediaType.DockerIndex };
  assert.equal(decodeManifest(bytes(list), { mediaType: MediaType.DockerIndex }).mediaType, MediaType.DockerIndex);
});

const REFUSED: readonly (readonly [what: string, document: unknown, error: RegExp, mediaType?: string])[] = [
  ["no object", [], /malformed: expected an object/],
  ["no version", { layers: [] }, /schemaVersion: expected a whole number/],
  ["unknown version", { ...MANIFEST, schemaVersion: 3 }, /schema version 3 is unknown/],
  ["both kinds", { ...MANIFEST, manifests: [] }, /both manifests and layers/],
  ["index with config", { ...INDEX, config: CONFIG }, /both manifests and layers/],
  ["fields of schema 1", { ...MANIFEST, fsLayers: [] }, /fields of schema 1/],
  ["sent as something else", MANIFEST, /was sent as/, MediaType.DockerManifest],
  ["index that says manifest", { ...INDEX, mediaType: MediaType.OciManifest }, /does not fit its media type/],
  ["manifest that says index", { ...MANIFEST, mediaType: MediaType.OciIndex }, /does not fit its media type/],
  ["no layers", { schemaVersion: 2, config: CONFIG }, /layers: expected a list/],
  ["no config", { schemaVersion: 2, layers: [] }, /config: expected an object/],
  ["negative size", { ...MANIFEST, layers: [{ ...LAYER, size: -1 }] }, /layers\[0\]\.size: expected a whole number/],
  ["size in exponents", { ...MANIFEST, layers: [{ ...LAYER, size: 1e300 }] }, /layers\[0\]\.size/],
  ["size as text", { ...MANIFEST, layers: [{ ...LAYER, size: "20" }] }, /layers\[0\]\.size/],
  ["path for a digest", { ...MANIFEST, config: { ...CONFIG, digest: "sha256:../../x" } }, /config\.digest/],
  ["weak digest", { ...MANIFEST, config: { ...CONFIG, digest: `md5:${"a".repeat(32)}` } }, /unsupported digest/],
  ["bad media type", { ...MANIFEST, config: { ...CONFIG, mediaType: "x" } }, /no media type/],
  ["annotations", { ...MANIFEST, annotations: { a: 1 } }, /annotations\.a: expected a string/],
  ["entries", { ...INDEX, manifests: {} }, /manifests: expected a list/],
  ["entry", { ...INDEX, manifests: [null] }, /manifests\[0\]: expected an object/],
];

for (const [what, document, error, mediaType] of REFUSED) {
  test(`refused manifest: ${what}`, () => {
    assert.throws(
      () => decodeManifest(bytes(document), mediaType === undefined ? {} : { mediaType }),
      (thrown: unknown) => {
        assert.ok(thrown instanceof InvalidArgument);
        assert.match(thrown.message, error);
        return true;
      },
    );
  });
}

test("schema 1 and unknown media types are refused by name", () => {
  const schema1 = { schemaVersion: 1, name: "a", tag: "b", fsLayers: [] };
  assert.throws(() => decodeManifest(bytes(schema1)), /schema 1, which is not supported/);
  assert.throws(
    () => decodeManifest(bytes({ schemaVersion: 1 }), { mediaType: MediaType.DockerSchema1Signed }),
    Unsupported,
  );
  assert.throws(() => decodeManifest(bytes({ ...MANIFEST, mediaType: "a/b" })), Unsupported);
});

test("what is too large or no JSON is refused", () => {
  const large = Buffer.alloc(4 * 1024 * 1024 + 1, " ");
  assert.throws(() => decodeManifest(large), /too large/);
  assert.throws(() => decodeManifest(Buffer.from("{")), /is not JSON/);
  const annotated = (count: number) =>
    bytes({ ...MANIFEST, annotations: Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, "v"])) });
  assert.equal(decodeManifest(annotated(25_000)).kind, "manifest");
  assert.throws(() => decodeManifest(annotated(250_000)), /has more than 30000 values/);
  assert.throws(() => decodeManifest(Buffer.from([0x22, 0xff, 0x22])), /is not JSON/);
});

test("no bytes make the decoders fail in another way than by a named error", () => {
  const fields = [
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "rootfs",
    "os",
    "digest",
    "size",
    "__proto__",
  ];
  const document = fc.dictionary(fc.constantFrom(...fields), fc.jsonValue());
  const mutation = fc
    .tuple(fc.constantFrom(...fields), fc.jsonValue())
    .map(([key, value]) => ({ ...MANIFEST, [key]: value }));
  const input = fc.oneof(
    fc.uint8Array(),
    fc.json().map((text) => Buffer.from(text)),
    fc.oneof(document, mutation).map(bytes),
  );
  fc.assert(
    fc.property(input, (data) => {
      for (const decode of [() => decodeManifest(data), () => decodeImageConfig(data)]) {
        try {
          decode();
        } catch (error) {
          assert.ok(error instanceof BoxshipError, String(error));
        }
      }
    }),
    { numRuns: 2000 },
  );
});

const CONFIG_DOCUMENT: ImageConfig = {
  created: "2026-01-02T03:04:05Z",
  author: "someone",
  architecture: "amd64",
  os: "linux",
  config: {
    User: "1000:1000",
    ExposedPorts: { "80/tcp": {} },
    Env: ["PATH=/bin"],
    Entrypoint: ["/entry"],
    Cmd: ["serve"],
    Volumes: { "/data": {} },
    WorkingDir: "/srv",
    Labels: { a: "b" },
    StopSignal: "SIGQUIT",
    StopTimeout: 5,
    Healthcheck: { Test: ["CMD", "true"], Interval: 1_000_000_000, Retries: 3 },
    Shell: ["/bin/bash", "-c"],
    OnBuild: ["RUN true"],
  },
  rootfs: { type: "layers", diff_ids: [D1, D2] },
  history: [{ created: "2026-01-02T03:04:05Z", created_by: "ADD x", empty_layer: false, comment: "c" }],
};

test("an image configuration survives reading and writing", () => {
  assert.deepEqual(decodeImageConfig(encodeImageConfig(CONFIG_DOCUMENT)), CONFIG_DOCUMENT);
  assert.deepEqual(configPlatform(CONFIG_DOCUMENT), { os: "linux", architecture: "amd64" });
});

test("null is absent, and a command may be one string", () => {
  const config = decodeImageConfig(
    bytes({
      architecture: "amd64",
      os: "linux",
      config: { Cmd: "serve", Entrypoint: null, Volumes: null, Labels: null, ExposedPorts: { "1/udp": null } },
      rootfs: { type: "layers", diff_ids: null },
      history: null,
    }),
  );
  assert.deepEqual(config.config, { Cmd: ["serve"], ExposedPorts: { "1/udp": {} } });
  assert.deepEqual(config.rootfs.diff_ids, []);
});

test("malformed image configurations name the field", () => {
  const base = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [D1] } };
  for (const [document, error] of [
    [{ ...base, os: 1 }, /os: expected a string/],
    [{ ...base, rootfs: { type: "other", diff_ids: [] } }, /rootfs\.type: expected "layers"/],
    [{ ...base, rootfs: { type: "layers", diff_ids: ["x"] } }, /rootfs\.diff_ids\[0\]/],
    [{ ...base, config: { Env: "A=b" } }, /config\.Env: expected a list/],
    [{ ...base, config: { Labels: { a: [] } } }, /config\.Labels\.a: expected a string/],
    [{ ...base, config: [] }, /config: expected an object/],
  ] as const) {
    assert.throws(() => decodeImageConfig(bytes(document)), error);
  }
});

test("a key named __proto__ is a key", () => {
  const document = Buffer.from(
    `{"architecture":"a","os":"b","rootfs":{"type":"layers","diff_ids":[]},"config":{"Labels":{"__proto__":"x"}}}`,
  );
  const labels = decodeImageConfig(document).config?.Labels ?? {};
  assert.deepEqual(Object.entries(labels), [["__proto__", "x"]]);
});

const PLATFORMS: readonly (readonly [typed: string, printed: string])[] = [
  ["linux/amd64", "linux/amd64"],
  ["linux/x86_64", "linux/amd64"],
  ["Linux/AMD64/v1", "linux/amd64"],
  ["linux/amd64/v3", "linux/amd64/v3"],
  ["linux/arm64", "linux/arm64/v8"],
  ["linux/arm64/v8", "linux/arm64/v8"],
  ["linux/aarch64/8", "linux/arm64/v8"],
  ["linux/arm", "linux/arm/v7"],
  ["linux/armhf", "linux/arm/v7"],
  ["linux/armel", "linux/arm/v6"],
  ["linux/arm/6", "linux/arm/v6"],
  ["linux/i386", "linux/386"],
  ["macos/arm64", "darwin/arm64/v8"],
  ["linux/s390x", "linux/s390x"],
];

test("platforms in every spelling", () => {
  for (const [typed, printed] of PLATFORMS) assert.equal(formatPlatform(parsePlatform(typed)), printed);
  assert.equal(parsePlatform("arm64").architecture, "arm64");
  assert.equal(parsePlatform("windows").os, "windows");
  for (const text of ["", "/", "linux/", "a/b/c/d", "linux/amd 64", "linux/ämd64"]) {
    assert.throws(() => parsePlatform(text), InvalidArgument);
  }
  const once = normalizePlatform({ os: "linux", architecture: "aarch64", variant: "v8" });
  assert.deepEqual(normalizePlatform(once), once);
});

test("older variants run on newer machines, in order of preference", () => {
  const rank = (wanted: string, offered: string) => platformRank(parsePlatform(wanted), parsePlatform(offered));
  const order = (wanted: string, offers: readonly string[]) =>
    offers
      .filter((offer) => rank(wanted, offer) !== undefined)
      .sort((a, b) => (rank(wanted, a) ?? 0) - (rank(wanted, b) ?? 0));
  assert.equal(rank("linux/amd64", "linux/amd64"), 0);
  assert.equal(rank("linux/amd64", "linux/amd64/v2"), undefined);
  assert.equal(rank("linux/amd64", "windows/amd64"), undefined);
  assert.deepEqual(order("linux/amd64/v3", ["linux/386", "linux/amd64", "linux/amd64/v3", "linux/amd64/v2"]), [
    "linux/amd64/v3",
    "linux/amd64/v2",
    "linux/amd64",
    "linux/386",
  ]);
  assert.deepEqual(order("linux/arm/v7", ["linux/arm/v5", "linux/arm64", "linux/arm/v7", "linux/arm/v6"]), [
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/arm/v5",
  ]);
  assert.deepEqual(order("linux/arm64", ["linux/arm/v7", "linux/arm64"]), ["linux/arm64", "linux/arm/v7"]);
});

function entry(platform: string | undefined, n: number): Descriptor {
  return {
    mediaType: MediaType.OciManifest,
    digest: digestOf(String(n)),
    size: n,
    ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
  };
}

test("the best entry of an index is chosen, attestations are not", () => {
  const index: ImageIndex = {
    kind: "index",
    mediaType: MediaType.OciIndex,
    manifests: [
      entry(undefined, 1),
      entry("linux/386", 2),
      { ...entry(undefined, 3), platform: { os: "unknown", architecture: "unknown" } },
      entry("linux/amd64", 4),
      entry("linux/arm64", 5),
      { ...entry("linux/amd64", 6), mediaType: "application/example" },
    ],
  };
  assert.deepEqual(
    selectManifests(index, parsePlatform("linux/amd64")).map((d) => d.size),
    [4, 2, 1],
  );
  const named: ImageIndex = { ...index, manifests: index.manifests.slice(1) };
  assert.throws(
    () => selectManifests(named, parsePlatform("linux/riscv64")),
    (error: unknown) => {
      assert.ok(error instanceof NotFound);
      assert.equal(error.message, "no matching manifest for linux/riscv64 in the manifest list entries");
      assert.equal(error.remedy, "choose one of its platforms: linux/386, linux/amd64, linux/arm64/v8");
      return true;
    },
  );
});

test("layer media types", () => {
  assert.equal(layerCompression(MediaType.OciLayer), "none");
  assert.equal(layerCompression(MediaType.DockerLayerGzip), "gzip");
  assert.equal(layerCompression(MediaType.OciLayerZstd), "zstd");
  assert.equal(isForeignLayer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), true);
  assert.throws(() => layerCompression("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), Unsupported);
});

test("digests", () => {
  assert.equal(isDigest(D1), true);
  assert.equal(isDigest(`sha512:${"0".repeat(128)}`), true);
  for (const text of ["", "sha256:", "sha256", `sha256:${"g".repeat(64)}`, `sha1:${"0".repeat(40)}`, `${D1}0`]) {
    assert.equal(isDigest(text), false);
    assert.throws(() => parseDigest(text), InvalidArgument);
  }
  assert.deepEqual(chainIds([]), []);
  assert.deepEqual(chainIds([D1, D2, D1]), [D1, digestOf(`${D1} ${D2}`), digestOf(`${digestOf(`${D1} ${D2}`)} ${D1}`)]);
});

/** As much of JSON Schema draft 4 as the specification's schemas use. */
function violations(schema: Schema, value: unknown, file: string, at = "$"): readonly string[] {
  if (schema.$ref !== undefined) {
    const [target = "", pointer = ""] = schema.$ref.split("#");
    let found = readSchema(target === "" ? file : target);
    for (const key of pointer.split("/").filter((part) => part !== "")) found = found[key as "properties"] as Schema;
    return violations(found, value, target === "" ? file : target, at);
  }
  if (schema.oneOf !== undefined) {
    return schema.oneOf.filter((one) => violations(one, value, file, at).length === 0).length === 1
      ? []
      : [`${at}: oneOf`];
  }
  const problems: string[] = [];
  const type =
    value === null ? "null" : Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value;
  if (schema.type !== undefined && schema.type !== type) return [`${at}: ${type} is not ${schema.type}`];
  if (schema.enum !== undefined && !schema.enum.includes(value)) problems.push(`${at}: enum`);
  if (typeof value === "string" && schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
    problems.push(`${at}: pattern`);
  if (typeof value === "number" && (value < (schema.minimum ?? -Infinity) || value > (schema.maximum ?? Infinity)))
    problems.push(`${at}: range`);
  if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0)) problems.push(`${at}: minItems`);
    for (const item of value)
      if (schema.items !== undefined) problems.push(...violations(schema.items, item, file, `${at}[]`));
    return problems;
  }
  if (typeof value !== "object" || value === null) return problems;
  for (const key of schema.required ?? []) if (!Object.hasOwn(value, key)) problems.push(`${at}: ${key} is missing`);
  for (const [key, member] of Object.entries(value)) {
    const matching = Object.entries(schema.patternProperties ?? {}).filter(([pattern]) =>
      new RegExp(pattern).test(key),
    );
    const own = schema.properties?.[key];
    for (const one of [...matching.map(([, s]) => s), ...(own === undefined ? [] : [own])]) {
      problems.push(...violations(one, member, file, `${at}.${key}`));
    }
  }
  return problems;
}

interface Schema {
  readonly $ref?: string;
  readonly oneOf?: readonly Schema[];
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
}

function readSchema(file: string): Schema {
  return JSON.parse(readFileSync(new URL(`./testdata/oci-schema/${file}`, import.meta.url), "utf8")) as Schema;
}

function assertValid(file: string, document: Uint8Array): void {
  assert.deepEqual(violations(readSchema(file), JSON.parse(Buffer.from(document).toString()), file), []);
}

test("what is written is valid by the specification's own schemas", () => {
  const manifest: ImageManifest = {
    kind: "manifest",
    mediaType: MediaType.OciManifest,
    config: { mediaType: MediaType.OciConfig, digest: D1, size: 10 },
    layers: [
      { mediaType: MediaType.OciLayerZstd, digest: D2, size: 20, annotations: { a: "b" }, urls: ["https://a/b"] },
    ],
    subject: { mediaType: MediaType.OciManifest, digest: D1, size: 1, data: "e30=" },
    annotations: { "org.example": "x" },
  };
  const index: ImageIndex = {
    kind: "index",
    mediaType: MediaType.OciIndex,
    manifests: [entry("linux/arm/v7", 1), entry(undefined, 2)],
  };
  assertValid("image-manifest-schema.json", encodeManifest(manifest));
  assertValid("image-index-schema.json", encodeManifest(index));
  assertValid("config-schema.json", encodeImageConfig(CONFIG_DOCUMENT));
  assert.deepEqual(decodeManifest(encodeManifest(manifest)), manifest);
  assert.deepEqual(decodeManifest(encodeManifest(index)), index);
  assert.notDeepEqual(
    violations(readSchema("image-manifest-schema.json"), { schemaVersion: 1 }, "image-manifest-schema.json"),
    [],
  );
});
