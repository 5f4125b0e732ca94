import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import fc from "fast-check";
import type { Digest } from "./digest.ts";
import {
  candidateReferences,
  familiarName,
  familiarReference,
  formatReference,
  isQualified,
  parseImageArgument,
  parseReference,
  withDefaultTag,
  withDigest,
  withTag,
} from "./reference.ts";

const HEX = "0123456789abcdef".repeat(4);
const SHA: Digest = `sha256:${HEX}`;

/** What is typed, in full, as Docker prints it. */
const VALID: readonly (readonly [text: string, full: string, familiar: string])[] = [
  ["nginx", "docker.io/library/nginx", "nginx"],
  ["nginx:1.27-alpine", "docker.io/library/nginx:1.27-alpine", "nginx:1.27-alpine"],
  ["library/nginx", "docker.io/library/nginx", "nginx"],
  ["bitnami/redis", "docker.io/bitnami/redis", "bitnami/redis"],
  ["docker.io/nginx", "docker.io/library/nginx", "nginx"],
  ["docker.io/library/nginx", "docker.io/library/nginx", "nginx"],
  ["index.docker.io/nginx", "docker.io/library/nginx", "nginx"],
  ["index.docker.io/library/nginx:1", "docker.io/library/nginx:1", "nginx:1"],
  ["library/a/b", "docker.io/library/a/b", "library/a/b"],
  ["localhost/app", "localhost/app", "localhost/app"],
  ["localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"],
  ["127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c"],
  ["[::1]:5000/app", "[::1]:5000/app", "[::1]:5000/app"],
  ["[fc00::1]/app:x", "[fc00::1]/app:x", "[fc00::1]/app:x"],
  ["quay.io/org/app", "quay.io/org/app", "quay.io/org/app"],
  ["quay.io/nginx", "quay.io/nginx", "quay.io/nginx"],
  ["HOST/app", "HOST/app", "HOST/app"],
  ["Host.Example/app", "Host.Example/app", "Host.Example/app"],
  ["host:80", "docker.io/library/host:80", "host:80"],
  ["a_b", "docker.io/library/a_b", "a_b"],
  ["a__b", "docker.io/library/a__b", "a__b"],
  ["a---b", "docker.io/library/a---b", "a---b"],
  ["a.b", "docker.io/library/a.b", "a.b"],
  [`nginx@${SHA}`, `docker.io/library/nginx@${SHA}`, `nginx@${SHA}`],
  [`nginx:1@${SHA}`, `docker.io/library/nginx:1@${SHA}`, `nginx:1@${SHA}`],
  [`r.io:443/a/b:t@${SHA}`, `r.io:443/a/b:t@${SHA}`, `r.io:443/a/b:t@${SHA}`],
  [`${HEX}:tag`, `docker.io/library/${HEX}:tag`, `${HEX}:tag`],
  [HEX.slice(1), `docker.io/library/${HEX.slice(1)}`, HEX.slice(1)],
  ["xn--7o8h.com/app", "xn--7o8h.com/app", "xn--7o8h.com/app"],
  ["sha256", "docker.io/library/sha256", "sha256"],
  ["a:Tag_1.0-X", "docker.io/library/a:Tag_1.0-X", "a:Tag_1.0-X"],
  [`a:${"t".repeat(128)}`, `docker.io/library/a:${"t".repeat(128)}`, `a:${"t".repeat(128)}`],
  [`x.io/${"a".repeat(255)}`, `x.io/${"a".repeat(255)}`, `x.io/${"a".repeat(255)}`],
];

/** What is typed, and Docker's words. */
const INVALID: readonly (readonly [text: string, message: string])[] = [
  ["", "invalid reference format"],
  ["Nginx", "invalid reference format: repository name (library/Nginx) must be lowercase"],
  ["UPPER:tag", "invalid reference format: repository name (library/UPPER) must be lowercase"],
  ["org/App", "invalid reference format: repository name (org/App) must be lowercase"],
  ["quay.io/Org/app", "invalid reference format: repository name (Org/app) must be lowercase"],
  [HEX, `invalid repository name (${HEX}), cannot specify 64-byte hexadecimal strings`],
  ["nginx:", "invalid reference format"],
  ["nginx@", "invalid reference format"],
  ["nginx:-x", "invalid reference format"],
  ["nginx:.x", "invalid reference format"],
  [`a:${"t".repeat(129)}`, "invalid reference format"],
  ["-nginx", "invalid reference format"],
  ["nginx-", "invalid reference format"],
  ["a___b", "invalid reference format"],
  ["a..b", "invalid reference format"],
  ["a._b", "invalid reference format"],
  ["a//b", "invalid reference format"],
  ["/a", "invalid reference format"],
  ["a/", "invalid reference format"],
  [" nginx", "invalid reference format"],
  ["nginx ", "invalid reference format"],
  ["nginx\n", "invalid reference format"],
  ["ngi nx", "invalid reference format"],
  ["https://nginx", "invalid reference format"],
  ["http://localhost:5000/app", "invalid reference format"],
  ["host.com:port/app", "invalid reference format"],
  ["host.com:/app", "invalid reference format"],
  ["[::1/app", "invalid reference format"],
  ["[fe80::1%eth0]/app", "invalid reference format"],
  ["-host.com/app", "invalid reference format"],
  ["foo_bar.com:8080/app", "invalid reference format"],
  ["nginx@sha256:abc", "invalid reference format"],
  [`nginx@sha256:${"a".repeat(63)}`, "invalid checksum digest length"],
  [`nginx@sha256:${"A".repeat(64)}`, "invalid checksum digest format"],
  [`nginx@md5:${"a".repeat(32)}`, "unsupported digest algorithm"],
  [`nginx@sha256:${"g".repeat(64)}`, "invalid reference format"],
  [`x.io/${"a".repeat(256)}`, "repository name must not be more than 255 characters"],
  ["ünïcode", "invalid reference format"],
  ["a\0b", "invalid reference format"],
];

for (const [text, full, familiar] of VALID) {
  test(`reference ${text.slice(0, 60)}`, () => {
    const reference = parseReference(text);
    assert.equal(formatReference(reference), full);
    assert.equal(familiarReference(reference), familiar);
    assert.deepEqual(parseReference(full), reference);
    assert.deepEqual(parseReference(familiar), reference);
  });
}

for (const [text, message] of INVALID) {
  test(`no reference: ${JSON.stringify(text).slice(0, 60)}`, () => {
    assert.throws(
      () => parseReference(text),
      (error: unknown) => {
        assert.ok(error instanceof InvalidArgument);
        assert.equal(error.message, message);
        return true;
      },
    );
  });
}

test("a tag is added only where neither tag nor digest is", () => {
  assert.equal(formatReference(withDefaultTag(parseReference("nginx"))), "docker.io/library/nginx:latest");
  assert.equal(formatReference(withDefaultTag(parseReference("nginx:1"))), "docker.io/library/nginx:1");
  assert.equal(formatReference(withDefaultTag(parseReference(`nginx@${SHA}`))), `docker.io/library/nginx@${SHA}`);
});

test("tag and digest are replaced", () => {
  const reference = parseReference(`quay.io/a:1@${SHA}`);
  assert.equal(formatReference(withTag(reference, "2")), "quay.io/a:2");
  assert.equal(formatReference(withDigest(parseReference("a:1"), SHA)), `docker.io/library/a@${SHA}`);
  assert.throws(() => withTag(reference, "a b"), InvalidArgument);
});

test("arguments are ids or references", () => {
  assert.deepEqual(parseImageArgument(HEX), { kind: "id", digest: SHA });
  assert.deepEqual(parseImageArgument(SHA), { kind: "id", digest: SHA });
  assert.equal(parseImageArgument("0123456789ab").kind, "reference");
});

test("short names are looked for in the configured registries, qualified ones only where they say", () => {
  const registries = ["docker.io", "quay.io", "localhost:5000"];
  assert.deepEqual(candidateReferences("app:1", registries).map(formatReference), [
    "docker.io/library/app:1",
    "quay.io/app:1",
    "localhost:5000/app:1",
  ]);
  assert.deepEqual(candidateReferences("ghcr.io/app", registries).map(formatReference), ["ghcr.io/app"]);
  assert.deepEqual(candidateReferences("org/app").map(familiarReference), ["org/app"]);
  assert.equal(isQualified("org/app"), false);
  assert.equal(isQualified("localhost/app"), true);
});

const alphanumeric = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const separator = fc.constantFrom(".", "_", "__", "-", "--", "---");
const component = fc
  .tuple(alphanumeric, fc.array(fc.tuple(separator, alphanumeric), { maxLength: 3 }))
  .map(([first, rest]) => first + rest.map(([s, word]) => s + word).join(""));
const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const host = fc.constantFrom("localhost", "r.example.com", "HOST", "10.0.0.1", "[::1]", "[fd00::a:1]", "a-b.c");
const port = fc.option(fc.integer({ min: 0, max: 65535 }), { nil: undefined });
const tag = fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/), { nil: undefined });
const digest = fc.option(
  fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `sha256:${hex}`),
  { nil: undefined },
);

test("every reference of the grammar is read, printed and read again as the same", () => {
  fc.assert(
    fc.property(host, port, path, tag, digest, (h, p, name, t, d) => {
      const domain = p === undefined ? h : `${h}:${p}`;
      const text = `${domain}/${name}${t === undefined ? "" : `:${t}`}${d === undefined ? "" : `@${d}`}`;
      const reference = parseReference(text);
      assert.deepEqual(reference, {
        domain,
        path: name,
        ...(t === undefined ? {} : { tag: t }),
        ...(d === undefined ? {} : { digest: d }),
      });
      assert.equal(formatReference(reference), text);
      assert.deepEqual(parseReference(familiarReference(reference)), reference);
      assert.ok(text.startsWith(familiarName(reference)));
    }),
  );
});

test("no text makes it fail in another way than InvalidArgument, or slowly", () => {
  const start = performance.now();
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.stringMatching(/^[a-zA-Z0-9._\-/:@[\]]*$/)),
      (text) => {
        try {
          const reference = parseReference(text);
          assert.deepEqual(parseReference(formatReference(reference)), reference);
        } catch (error) {
          assert.ok(error instanceof InvalidArgument);
        }
      },
    ),
    { numRuns: 1000 },
  );
  for (const attack of [
    "a".repeat(50_000),
    "a-".repeat(25_000),
    "a.".repeat(25_000),
    "A".repeat(50_000),
    `${"a/".repeat(25_000)}!`,
  ]) {
    for (const text of [attack, `${attack}!`, `x.io/${attack}!`, `${attack}/${attack}!`]) {
      assert.throws(() => parseReference(text), InvalidArgument);
    }
  }
  assert.ok(performance.now() - start < 10_000);
});
