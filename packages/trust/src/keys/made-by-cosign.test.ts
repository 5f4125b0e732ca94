import { deepEqual, equal } from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { test } from "node:test";
import { encodePayload } from "../signature/payload.ts";
import { verifySignature } from "../signature/signature.ts";
import { decryptPrivateKey } from "./private-key.ts";
import { readPublicKey } from "./public-key.ts";

// Made by cosign itself, and published: in the documentation of elastic/harp, in tests of conforma/cli (which do not name
// the public half), and of containers/image (signatures of one manifest, the second made by skopeo).
const pem = (label: string, body: string) => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

const OLD_KEY = pem(
  "ENCRYPTED COSIGN PRIVATE KEY",
  `eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjozMjc2OCwiciI6
OCwicCI6MX0sInNhbHQiOiJORWY0SzZ3VWZRWW1Ya3FySXB0WStLd3VHcnBJSkZ4
UUNJQzA3cGVndkZrPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJxOXlEbUNUa2t1bi9jWjV4Mzc5Vlh4WDBSTmgrc2djeSJ9LCJj
aXBoZXJ0ZXh0IjoiN1NIWjZMbkdpS0NiUUhuWG1ZamFxV0YrUzI5NXhhc3ZWOVJ4
dzVFNXJmM0FRa2lCZVNOSVE2RlpMSExsaDNkdGhFdi82NzJ3V2VBM3dHNHBRZEx4
UU54aWQ4b0MzRURZNkNtM3laaDRyZGhqUUNsTlVxVmhCWTlCSUxud1JsOE5nVm9s
a2RiazVHZVFyQUF1SG5uSks1RDQ1dUlUS0k0YWIzRzN3amF3WUx3azVjNXYydDhJ
ajFMWjVyRlNZamNkMXBYc3Bveml0eU56RkE9PSJ9`,
);
const OLD_PASSPHRASE = "7cqF]\\FP0ss9uO![olGf32L+UobBCn:BqVWRZbV6=FEhv3jt>I240Ew)SYwe`ncD";
const OLD_PUBLIC = pem(
  "PUBLIC KEY",
  `MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAESUVHp/bUkwMfoM3swWUbBgMt80o2
x93ZquFX+D/8DBhcR+DWQSebyqsl/YEenL1GeLWmdCKSNROmvjnBV6N7uA==`,
);
const NEW_KEY = pem(
  "ENCRYPTED SIGSTORE PRIVATE KEY",
  `eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJLYU9OQzduQVJLOVgxM1FoaWFucjAwTTBGYys2Sitr
dnAxN1FuanpiVk9nPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJVOHZqWWtqMlZOUFZGdlZFZWZ3bXZ5VGloUERrelBoaCJ9LCJj
aXBoZXJ0ZXh0IjoidWNWMnQ4TTZVNFJvb29FOXc0d3dkc3E1RDYrS2RKY245dERT
KzFwRDRGN040SVJOWEgzSTBua3h1a3NackFOUHR1emIvTkVYQ201dUp3Zjh3Qzl1
VlprbXdwNU5jRUZ6b3ZNS3JCZmNvdXdjaEkrMzkrQ0NhbVZPbzBucmRnZjhvcmpK
dXdrWDBYL1phY0RUTERGaUxyc1laMWVMMmlqMGU1MVRpZmVQNTl4WXNPK1FnM1Jv
OURRVjNQMk9ndDFDaVFHeGg1VXhUZytGc3c9PSJ9`,
);

const SIGNER = pem(
  "PUBLIC KEY",
  `MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFNLqFhf4fiN6o/glAuYnq2jYUeL0
vRuLu/z39pmbVwS9ff5AYnlwaP9sxREajdLY9ynM6G1sy6AAmb7Z63TsLg==`,
);
const DIGEST = "sha256:634a8f35b5f16dcf4aaa0822adc0b1964bb786fca12f6831de8ddc45e5986a00";
const SIGNATURES = [
  {
    payload:
      "eyJjcml0aWNhbCI6eyJpZGVudGl0eSI6eyJkb2NrZXItcmVmZXJlbmNlIjoiMTkyLjE2OC42NC4yOjUwMDAvY29zaWduLXNpZ25lZC1zaW5nbGUtc2FtcGxlIn0sImltYWdlIjp7ImRvY2tlci1tYW5pZmVzdC1kaWdlc3QiOiJzaGEyNTY6NjM0YThmMzViNWYxNmRjZjRhYWEwODIyYWRjMGIxOTY0YmI3ODZmY2ExMmY2ODMxZGU4ZGRjNDVlNTk4NmEwMCJ9LCJ0eXBlIjoiY29zaWduIGNvbnRhaW5lciBpbWFnZSBzaWduYXR1cmUifSwib3B0aW9uYWwiOm51bGx9",
    signature: "MEYCIQDmtamqYPjMg81nqeBhptrPls44aA/r7PwLmspINJY4MwIhANKRpqe2E9UCBtGFdPoz/8jAbaQm4uP4h+IpwKTE6ClR",
    claim: { identity: "192.168.64.2:5000/cosign-signed-single-sample", digest: DIGEST, optional: {} },
  },
  {
    payload:
      "eyJjcml0aWNhbCI6eyJpZGVudGl0eSI6eyJkb2NrZXItcmVmZXJlbmNlIjoiMTkyLjE2OC42NC4yOjUwMDAvc2tvcGVvLXNpZ25lZDp0YWcifSwiaW1hZ2UiOnsiZG9ja2VyLW1hbmlmZXN0LWRpZ2VzdCI6InNoYTI1Njo2MzRhOGYzNWI1ZjE2ZGNmNGFhYTA4MjJhZGMwYjE5NjRiYjc4NmZjYTEyZjY4MzFkZThkZGM0NWU1OTg2YTAwIn0sInR5cGUiOiJjb3NpZ24gY29udGFpbmVyIGltYWdlIHNpZ25hdHVyZSJ9LCJvcHRpb25hbCI6eyJjcmVhdG9yIjoiY29udGFpbmVycy9pbWFnZSA1LjIxLjItZGV2IiwidGltZXN0YW1wIjoxNjU3Mjk2NjA5fX0=",
    signature: "MEUCIAhoI92AgO+sWjr6N+QjEDQE9Wwg1oaDDcaJIlALUqRlAiEA9+iphb/7b5T13Wy7KnlXMUM17uYTgEkUl97pu3GD/5M=",
    claim: {
      identity: "192.168.64.2:5000/skopeo-signed:tag",
      digest: DIGEST,
      optional: { creator: "containers/image 5.21.2-dev", timestamp: 1_657_296_609 },
    },
  },
] as const;

test("private keys that cosign made are opened, of both labels and costs", async () => {
  const old = await decryptPrivateKey(OLD_KEY, OLD_PASSPHRASE);
  equal(createPublicKey(old).export({ type: "spki", format: "pem" }), OLD_PUBLIC);
  const current = await decryptPrivateKey(NEW_KEY, "");
  equal(current.asymmetricKeyDetails?.namedCurve, "prime256v1");
});

test("signatures that cosign and skopeo made are verified, and ours say the same in the same bytes", () => {
  const key = readPublicKey(SIGNER, "cosign.pub");
  for (const { payload, signature, claim } of SIGNATURES) {
    const bytes = Buffer.from(payload, "base64");
    deepEqual(verifySignature({ payload: bytes, signature }, [key]), claim);
    equal(encodePayload(claim).toString(), bytes.toString());
    const changed = Buffer.from(bytes.toString().replace("634a8f35", "634a8f36"));
    equal(verifySignature({ payload: changed, signature }, [key]), undefined);
  }
});
