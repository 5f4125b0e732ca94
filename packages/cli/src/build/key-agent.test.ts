import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { runProgram, tempDir } from "@boxship/testkit";
import fc from "fast-check";
import { KeyAgent } from "./key-agent.ts";
import { parsePrivateKey } from "./private-key.ts";

const KINDS = [
  ["ed25519", []],
  ["rsa", ["-b", "2048"]],
  ["rsa", ["-b", "2048", "-m", "PEM"]],
  ["ecdsa", ["-b", "256"]],
  ["ecdsa", ["-b", "521"]],
  ["ecdsa", ["-b", "384", "-m", "PKCS8"]],
] as const;

test("keys of every kind and format are shown to OpenSSH's tools and sign for them", async () => {
  await using directory = tempDir("keys");
  const paths = KINDS.map(([type, more], index) => {
    const path = directory.join(`key${index}`);
    execFileSync("ssh-keygen", ["-q", "-t", type, ...more, "-N", "", "-C", "", "-f", path]);
    return path;
  });
  const agent = new KeyAgent(paths.map((path) => ({ key: parsePrivateKey(readFileSync(path), path), comment: path })));
  const server = createServer((client) => {
    const stream = agent.connect();
    client.on("close", () => stream.destroy());
    client.pipe(stream).pipe(client);
  });
  const socket = directory.join("agent");
  server.listen(socket);
  await once(server, "listening");
  try {
    const env = { SSH_AUTH_SOCK: socket };
    const listed = await runProgram(["ssh-add", "-l"], { env });
    const known = paths.map(
      (path) =>
        execFileSync("ssh-keygen", ["-lf", `${path}.pub`])
          .toString()
          .split(" ")[1],
    );
    const told = listed.stdout.trimEnd().split("\n");
    assert.deepEqual(
      told.map((line) => line.split(" ")[1]),
      known,
      listed.stderr,
    );
    // It signs by the agent, and verifies with the public key.
    const signed = await runProgram(["ssh-add", "-T", ...paths.map((path) => `${path}.pub`)], { env });
    assert.equal(signed.status, 0, signed.stderr);
    const added = await runProgram(["ssh-add", paths[0] ?? ""], { env });
    assert.notEqual(added.status, 0, "keys cannot be added to it");
  } finally {
    server.close();
  }
});

test("what is no private key, or is locked, is refused with its name", async () => {
  await using directory = tempDir("keys");
  const path = directory.join("locked");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "secret", "-f", path]);
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  writeFileSync(directory.join("pkcs8"), privateKey);
  for (const file of [path, directory.join("pkcs8")])
    assert.throws(() => parsePrivateKey(readFileSync(file), file), /has a passphrase/);
  assert.throws(() => parsePrivateKey(readFileSync(`${path}.pub`), path), /it is no private key/);
  const lines = readFileSync(path, "utf8").split("\n");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = [lines[0], Buffer.concat([Buffer.from("openssh-key-v1\0"), bytes]).toString("base64"), lines.at(-2)];
      assert.throws(() => parsePrivateKey(Buffer.from(text.join("\n")), "f"), /--ssh: /);
    }),
  );
});

test("an agent refuses what it does not know, whole or in pieces", async () => {
  const stream = new KeyAgent([]).connect();
  const request = Buffer.from([0, 0, 0, 1, 11, 0, 0, 0, 2, 99, 0]);
  for (const byte of request) stream.write(Buffer.from([byte]));
  stream.end();
  const parts: Buffer[] = [];
  for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
  assert.deepEqual([...Buffer.concat(parts)], [0, 0, 0, 5, 12, 0, 0, 0, 0, 0, 0, 0, 1, 5]);
});
