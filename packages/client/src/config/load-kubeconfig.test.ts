import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { InvalidArgument, NotFound, Unsupported } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { loadKubeconfig } from "./load-kubeconfig.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

const CONFIG = `
apiVersion: v1
kind: Config
current-context: files
clusters:
- name: one
  cluster: {server: "https://one.example:6443/prefix", certificate-authority: ca.pem, tls-server-name: one}
- name: two
  cluster: {server: "https://two.example", certificate-authority-data: ${base64("CA2")}, insecure-skip-tls-verify: true}
users:
- name: cert
  user: {client-certificate: me.pem, client-key: me.key}
- name: token
  user: {token: abc}
- name: tokenfile
  user: {token: old, tokenFile: token}
- name: program
  user: {exec: {command: aws}}
contexts:
- {name: files, context: {cluster: one, user: cert, namespace: web}}
- {name: inline, context: {cluster: two, user: token}}
- {name: file-wins, context: {cluster: two, user: tokenfile}}
- {name: anonymous, context: {cluster: two}}
- {name: program, context: {cluster: two, user: program}}
- {name: dangling, context: {cluster: none, user: token}}
`;

test("a context's cluster and user become a connection", async () => {
  await using directory = tempDir("kubeconfig");
  const path = directory.join("config");
  writeFileSync(path, CONFIG);
  for (const [name, text] of [
    ["ca.pem", "CA1"],
    ["me.pem", "ME"],
    ["me.key", "KEY"],
    ["token", "fresh\n"],
  ] as const)
    writeFileSync(directory.join(name), text);
  assert.deepEqual(await loadKubeconfig(path), {
    connection: {
      server: "https://one.example:6443/prefix",
      authority: "CA1",
      certificate: "ME",
      key: "KEY",
      serverName: "one",
    },
    namespace: "web",
  });
  const two = { server: "https://two.example", authority: "CA2", insecure: true };
  const connectionOf = async (context: string) => (await loadKubeconfig(path, { context })).connection;
  assert.deepEqual(await connectionOf("inline"), { ...two, token: "abc" });
  assert.deepEqual(await connectionOf("file-wins"), { ...two, token: "fresh" });
  assert.deepEqual(await connectionOf("anonymous"), two);
  await assert.rejects(connectionOf("program"), Unsupported);
  await assert.rejects(connectionOf("dangling"), NotFound);
  await assert.rejects(connectionOf("none"), { name: "NotFound", message: /there is no context "none"/ });
});

test("what is no kubeconfig is refused by its path", async () => {
  await using directory = tempDir("kubeconfig");
  const path = directory.join("config");
  for (const text of ["", "- a", "{", "kind: Config", "current-context: x\ncontexts: 5"]) {
    writeFileSync(path, text);
    await assert.rejects(
      loadKubeconfig(path),
      (error: unknown) =>
        (error instanceof InvalidArgument || error instanceof NotFound) && error.message.includes(path),
      text,
    );
  }
  await assert.rejects(loadKubeconfig(directory.join("absent")), InvalidArgument);
});
