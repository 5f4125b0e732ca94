import { equal, match, rejects } from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { test } from "node:test";
import { Unsupported } from "@boxship/base";
import { asyncProperty, assert as check, string } from "fast-check";
import { signClaim, verifySignature } from "../signature/signature.ts";
import { decryptPrivateKey, generateKeyPairFiles } from "./private-key.ts";
import { readPublicKey } from "./public-key.ts";

test("a pair that was made signs and verifies; a wrong passphrase opens nothing", async () => {
  const files = await generateKeyPairFiles("secret");
  match(files.privateKey, /^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/);
  const key = await decryptPrivateKey(files.privateKey, "secret");
  equal(createPublicKey(key).export({ type: "spki", format: "pem" }), files.publicKey);
  const claim = { identity: "r.example/a/b:1", digest: `sha256:${"a".repeat(64)}`, optional: {} };
  const publicKey = readPublicKey(files.publicKey, "cosign.pub");
  equal(verifySignature(signClaim(claim, key), [publicKey])?.identity, claim.identity);
  await rejects(() => decryptPrivateKey(files.privateKey, "Secret"), /wrong passphrase/);
  const body = files.privateKey.split("\n");
  const document = JSON.parse(Buffer.from(body.slice(1, -2).join(""), "base64").toString()) as {
    kdf: { params: { N: number; r: number; p: number } };
    ciphertext: string;
  };
  const again = (change: object) => {
    const text = Buffer.from(JSON.stringify({ ...document, ...change })).toString("base64");
    return `-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----\n${text}\n-----END ENCRYPTED COSIGN PRIVATE KEY-----\n`;
  };
  // The older label is the same format.
  equal((await decryptPrivateKey(again({}), "secret")).asymmetricKeyType, "ec");
  const flipped = Buffer.from(document.ciphertext, "base64");
  flipped[40] = (flipped[40] ?? 0) ^ 1;
  await rejects(() => decryptPrivateKey(again({ ciphertext: flipped.toString("base64") }), "secret"), /was changed/);
  const costly = { kdf: { ...document.kdf, params: { N: 2 ** 30, r: 8, p: 1 } } };
  await rejects(() => decryptPrivateKey(again(costly), "secret"), /out of bounds/);
  await rejects(() => decryptPrivateKey(again({ cipher: { name: "aes" } }), "secret"), Unsupported);
  await rejects(() => decryptPrivateKey(files.publicKey, ""), /"PUBLIC KEY" are not supported/);
});

test("no text makes the reader of key files throw anything else than its own errors", async () => {
  const name = "ENCRYPTED SIGSTORE PRIVATE KEY";
  await check(
    asyncProperty(string(), async (body) => {
      const pem = `-----BEGIN ${name}-----\n${Buffer.from(body).toString("base64")}\n-----END ${name}-----\n`;
      await rejects(() => decryptPrivateKey(pem, ""), /malformed|not supported/);
      await rejects(() => decryptPrivateKey(body, ""), /malformed|not supported/);
    }),
  );
});
