import assert from "node:assert/strict";
import { test } from "node:test";
import { BoxshipError, InvalidArgument } from "@boxship/base";
import fc from "fast-check";
import { parseFrontendOptions } from "./frontend-options.ts";

test("without options it is the client's directory and its Dockerfile", () => {
  const { context, filename, dockerfileDirectory, contexts } = parseFrontendOptions({});
  assert.deepEqual(context, { kind: "local", name: "context" });
  assert.equal(filename, "Dockerfile");
  assert.equal(dockerfileDirectory, "dockerfile");
  assert.deepEqual(contexts, {});
});

test("contexts come from everywhere", () => {
  const context = (value: string) => parseFrontendOptions({ context: value }).context;
  const git = [
    "https://github.com/a/b.git",
    "https://example.com/r.git#main:dir",
    "git@github.com:a/b.git",
    "git://host/repo",
    "ssh://git@host/repo",
    "github.com/a/b",
  ];
  for (const reference of git) assert.deepEqual(context(reference), { kind: "git", reference });
  assert.deepEqual(context("https://h/c.tar.gz"), { kind: "http", reference: "https://h/c.tar.gz" });
  assert.deepEqual(context("http://buildkit-session/abc"), { kind: "upload", id: "/abc" });
  assert.deepEqual(context("http://buildkit-session/body/a%2Fb"), { kind: "body", id: "a/b" });
  // With those the Containerfile is in the context, unless the client has one of its own.
  assert.equal(parseFrontendOptions({ context: "https://h/c.tar" }).dockerfileDirectory, undefined);
  const own = parseFrontendOptions({ context: "https://h/c.tar", dockerfilekey: "dockerfile" });
  assert.equal(own.dockerfileDirectory, "dockerfile");
  assert.throws(() => context("/etc"), InvalidArgument);
});

test("named contexts, one for all platforms", () => {
  const { contexts } = parseFrontendOptions({
    "context:a": "docker-image://alpine:3",
    "context:b::linux/amd64": "input:x",
    "context:c": "local:c",
    "context:d": "docker-image://scratch",
    "context:e": "oci-layout://store:latest@sha256:0123abc",
  });
  assert.deepEqual(contexts, {
    a: { kind: "image", reference: "alpine:3" },
    b: { kind: "input", key: "x" },
    c: { kind: "local", name: "c" },
    d: { kind: "empty" },
    e: { kind: "layout", store: "store", digest: "sha256:0123abc" },
  });
  assert.throws(() => parseFrontendOptions({ "context:a": "oci-layout://x" }), /names no digest/);
});

test("what has no number or no meaning is refused by name", () => {
  const refusals: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{ "shm-size": "many" }, /shm-size/],
    [{ ulimit: "nofile" }, /ulimit/],
    [{ "add-hosts": "a" }, /key-value pair a/],
    [{ "force-network-mode": "bridge" }, /netmode bridge/],
    [{ "image-resolve-mode": "later" }, /image-resolve-mode/],
    [{ "cache-imports": "{" }, /cache-imports/],
    [{ "cache-imports": "{}" }, /no list/],
    [{ "attest:sbom": "generator=a/b" }, /attribute generator of sbom/],
    [{ "attest:other": "" }, /attestation other/],
    [{ "attest:provenance": "mode=most" }, /mode 'most'/],
    [{ hostname: "h" }, /hostname/],
    [{ nonsense: "1" }, /option nonsense/],
    [{ "frontend.caps": "moby.buildkit.frontend.nonsense+forward" }, /frontend\.nonsense/],
  ];
  for (const [options, words] of refusals) assert.throws(() => parseFrontendOptions(options), words);
});

test("whatever a client sends, it is taken or refused in words", () => {
  const names = fc.constantFrom(
    "context",
    "context:a",
    "add-hosts",
    "ulimit",
    "cache-imports",
    "attest:provenance",
    "no-cache",
  );
  fc.assert(
    fc.property(fc.dictionary(names, fc.string(), { noNullPrototype: true }), (options) => {
      try {
        parseFrontendOptions(options);
      } catch (error) {
        assert.ok(error instanceof BoxshipError, String(error));
      }
    }),
  );
});
