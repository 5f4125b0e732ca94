import { deepEqual, equal, match, rejects, throws } from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import { assert as check, jsonValue, property } from "fast-check";
import { signClaim } from "../signature/signature.ts";
import { checkImage, type ImageToCheck } from "./check-image.ts";
import { identityMatches, parseIdentity } from "./identity.ts";
import { parsePolicy } from "./parse-policy.ts";
import { dockerScopes, type IdentityMatch, pathScopes } from "./policy.ts";

const DIGEST = `sha256:${"1".repeat(64)}`;
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
const keyData = Buffer.from(publicKey.export({ type: "spki", format: "pem" })).toString("base64");

function image(repository: string, tag: string, more: Partial<ImageToCheck> = {}): ImageToCheck {
  return {
    name: `${repository}:${tag}`,
    transport: "docker",
    scopes: dockerScopes(repository, `:${tag}`),
    identity: { repository, tag },
    digests: [DIGEST],
    signatures: () => Promise.resolve([]),
    ...more,
  };
}

test("scopes go from the name over its repository to the domain and its wildcards", () => {
  deepEqual(dockerScopes("r.example.com:5000/a/b", ":1"), [
    "r.example.com:5000/a/b:1",
    "r.example.com:5000/a/b",
    "r.example.com:5000/a",
    "r.example.com:5000",
    "*.example.com",
    "*.com",
  ]);
  deepEqual(pathScopes("/a/b", "x"), ["/a/b:x", "/a/b", "/a"]);
});

test("the most specific scope decides, and all its requirements count", async () => {
  const policy = parsePolicy(
    JSON.stringify({
      default: [{ type: "reject" }],
      transports: {
        docker: {
          "docker.io": [{ type: "insecureAcceptAnything" }],
          "docker.io/library/bad": [{ type: "reject" }],
          "docker.io/library/bad:good": [{ type: "insecureAcceptAnything" }],
          "docker.io/both": [{ type: "insecureAcceptAnything" }, { type: "reject" }],
          "*.trusted.example": [{ type: "insecureAcceptAnything" }],
          "gpg.example": [{ type: "signedBy", keyType: "GPGKeys", keyPath: "/x" }],
          "keyless.example": [{ type: "sigstoreSigned", fulcio: {}, rekorPublicKeyPath: "/x" }],
        },
        oci: { "": [{ type: "insecureAcceptAnything" }] },
      },
    }),
    "policy.json",
  );
  const passes: readonly (readonly [string, string, RegExp | undefined])[] = [
    ["docker.io/library/nginx", "1", undefined],
    ["docker.io/library/bad", "1", /is rejected by policy: its registry or repository is not allowed/],
    ["docker.io/library/bad", "good", undefined],
    ["docker.io/both/x", "1", /rejected/],
    ["eu.trusted.example/x", "1", undefined],
    ["trusted.example/x", "1", /rejected/],
    ["gpg.example/x", "1", /asks for signedBy, which is not supported/],
    ["keyless.example/x", "1", /sigstoreSigned with fulcio, which is not supported/],
  ];
  for (const [repository, tag, message] of passes) {
    const result = checkImage(policy, image(repository, tag));
    if (message === undefined) await result;
    else await rejects(() => result, message, repository);
  }
  await checkImage(policy, { ...image("x/y", "1"), transport: "oci", scopes: pathScopes("/x", "") });
  await rejects(() => checkImage(policy, { ...image("x/y", "1"), transport: "dir", scopes: ["/x"] }), /rejected/);
});

test("a signature counts for its image, its name and its key only", async () => {
  const policy = parsePolicy(JSON.stringify({ default: [{ type: "sigstoreSigned", keyData }] }), "p");
  const name = "r.example/a/b";
  const signed = (identity: string, digest = DIGEST, key = privateKey) => ({
    signatures: () => Promise.resolve([signClaim({ identity, digest, optional: {} }, key)]),
  });
  await checkImage(policy, image(name, "1", signed(`${name}:1`)));
  const cases: readonly (readonly [Partial<ImageToCheck>, RegExp])[] = [
    [{}, /a signature was required, but no signature exists/],
    [signed(`${name}:2`), /a signature for r.example\/a\/b:2 is not accepted/],
    [signed(name), /is not accepted/],
    [signed(`${name}:1`, `sha256:${"2".repeat(64)}`), /is for another image/],
    [signed(`${name}:1`, DIGEST, other.privateKey), /no key of the policy/],
    [{ signatures: () => Promise.resolve([{ payload: Buffer.from("{}"), signature: "!!" }]) }, /no key of the policy/],
  ];
  for (const [more, message] of cases) await rejects(() => checkImage(policy, image(name, "1", more)), message);
  // One good signature among bad ones is enough.
  const good = signClaim({ identity: `${name}:1`, digest: DIGEST, optional: {} }, privateKey);
  const bad = signClaim({ identity: `${name}:1`, digest: DIGEST, optional: {} }, other.privateKey);
  await checkImage(policy, image(name, "1", { signatures: () => Promise.resolve([bad, good]) }));
});

test("names in signatures are accepted as the policy says", () => {
  const at = (text: string) => parseIdentity(text) ?? { repository: "" };
  const cases: readonly (readonly [IdentityMatch, string, string, boolean])[] = [
    [{ type: "matchExact" }, "r/a:1", "r/a:1", true],
    [{ type: "matchExact" }, "r/a:1", "r/a", false],
    [{ type: "matchExact" }, "r/a", "r/a", false],
    [{ type: "matchRepoDigestOrExact" }, `r/a@${DIGEST}`, "r/a:9", true],
    [{ type: "matchRepoDigestOrExact" }, "r/a:1", "r/a:9", false],
    [{ type: "matchRepository" }, "r/a:1", "r/a", true],
    [{ type: "matchRepository" }, "r/a:1", "r/b", false],
    [{ type: "exactReference", name: "r/z:1" }, "r/a:1", "r/z:1", true],
    [{ type: "exactRepository", name: "r/z" }, "r/a:1", "r/z:7", true],
    [{ type: "remapIdentity", prefix: "mirror", signedPrefix: "r" }, "mirror/a:1", "r/a:1", true],
    [{ type: "remapIdentity", prefix: "mir", signedPrefix: "r" }, "mirror/a:1", "r/a:1", false],
  ];
  for (const [how, name, signed, expected] of cases) {
    equal(identityMatches(how, at(name), signed), expected, `${how.type} ${name} ${signed}`);
  }
});

test("what a policy cannot mean is refused", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["{", /is no JSON/],
    ["{}", /default: expected a list/],
    ['{"default":[]}', /at least one requirement/],
    ['{"default":[{"type":"x"}]}', /unknown requirement "x"/],
    ['{"default":[{"type":"reject","x":1}]}', /unknown key "x"/],
    ['{"default":[{"type":"reject"}],"defaults":1}', /unknown key "defaults"/],
    ['{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}', /"default" twice/],
    ['{"default":[{"type":"sigstoreSigned"}]}', /exactly one of keyPath/],
    ['{"default":[{"type":"sigstoreSigned","keyPath":"a","keyData":"b"}]}', /exactly one/],
    ['{"default":[{"type":"sigstoreSigned","keyPath":"a","signedIdentity":{"type":"x"}}]}', /unknown match "x"/],
  ];
  for (const [text, message] of wrong) {
    throws(
      () => parsePolicy(text, "policy.json"),
      (error: unknown) => {
        match(error instanceof InvalidArgument ? error.message : String(error), message);
        return error instanceof InvalidArgument;
      },
    );
  }
});

test("any JSON is a policy or refused, never anything else", () => {
  check(
    property(jsonValue(), (value) => {
      try {
        parsePolicy(JSON.stringify({ default: value, transports: { docker: { x: value } } }), "p");
      } catch (error) {
        if (!(error instanceof InvalidArgument)) throw error;
      }
    }),
  );
});
