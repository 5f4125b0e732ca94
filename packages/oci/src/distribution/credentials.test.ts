import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FailedPrecondition, InvalidArgument } from "@boxship/base";
import { type CredentialSource, credentialFiles, credentialsFor, firstOf } from "./credentials.ts";

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "boxship-credentials-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function source(t: TestContext, document: unknown): Promise<CredentialSource> {
  const path = join(await directory(t), "config.json");
  await writeFile(path, typeof document === "string" ? document : JSON.stringify(document));
  return credentialFiles({ paths: [path] });
}

const auth = (user: string, password: string) => ({ auth: Buffer.from(`${user}:${password}`).toString("base64") });

test("entries are found under every spelling of a registry", async (t) => {
  const find = await source(t, {
    auths: {
      "https://index.docker.io/v1/": auth("hub", "pw:with:colons"),
      "localhost:5000": auth("local", "x"),
      "https://quay.io": { username: "plain", password: "y" },
      "idp.example": { ...auth("ignored", "z"), identitytoken: "refresh" },
      "bearer.example/v2/": { registrytoken: "token" },
      "empty.example": {},
    },
  });
  assert.deepEqual(await find("docker.io", "library/a"), {
    kind: "password",
    username: "hub",
    password: "pw:with:colons",
  });
  assert.deepEqual(await find("localhost:5000", "a"), { kind: "password", username: "local", password: "x" });
  assert.deepEqual(await find("quay.io", "a"), { kind: "password", username: "plain", password: "y" });
  assert.deepEqual(await find("idp.example", "a"), { kind: "identity-token", token: "refresh" });
  assert.deepEqual(await find("bearer.example", "a"), { kind: "registry-token", token: "token" });
  assert.equal(await find("empty.example", "a"), undefined);
  assert.equal(await find("localhost:5001", "a"), undefined);
});

test("an entry for a part of a registry goes first", async (t) => {
  const find = await source(t, {
    auths: { "quay.io": auth("all", "1"), "quay.io/team": auth("team", "2"), "quay.io/team/app": auth("app", "3") },
  });
  const user = async (repository: string) => {
    const found = await find("quay.io", repository);
    return found?.kind === "password" ? found.username : undefined;
  };
  assert.equal(await user("team/app"), "app");
  assert.equal(await user("team/app/deep"), "app");
  assert.equal(await user("team/other"), "team");
  assert.equal(await user("teams/app"), "all");
});

test("missing files are skipped, malformed ones are named", async (t) => {
  assert.equal(await credentialFiles({ paths: ["/nowhere/config.json"] })("a.io", "b"), undefined);
  await assert.rejects((await source(t, "{"))("a.io", "b"), InvalidArgument);
  await assert.rejects(
    (await source(t, { auths: { "a.io": { auth: "bm9jb2xvbg==" } } }))("a.io", "b"),
    /expected base64/,
  );
  await assert.rejects((await source(t, { credsStore: "../evil" }))("a.io", "b"), /invalid credential helper/);
});

test("the files are those of docker and podman", async (t) => {
  const home = await directory(t);
  await writeFile(join(home, "config.json"), JSON.stringify({ auths: { "a.io": auth("docker", "1") } }));
  const explicit = join(home, "explicit.json");
  await writeFile(explicit, JSON.stringify({ auths: { "b.io": auth("podman", "2") } }));
  const find = credentialFiles({ env: { DOCKER_CONFIG: home, REGISTRY_AUTH_FILE: explicit } });
  assert.equal((await find("a.io", "x"))?.kind, "password");
  assert.equal((await find("b.io", "x"))?.kind, "password");
  assert.equal(await find("c.io", "x"), undefined);
});

test("credential helpers are asked by their protocol", async (t) => {
  const bin = await directory(t);
  const helper = `#!/bin/sh
read server
case "$1 $server" in
"get a.io") echo '{"ServerURL":"a.io","Username":"helped","Secret":"s"}' ;;
"get https://index.docker.io/v1/") echo '{"Username":"<token>","Secret":"refresh"}' ;;
"get broken.io") echo "the keychain is locked"; exit 1 ;;
*) echo "credentials not found in native keychain"; exit 1 ;;
esac
`;
  await writeFile(join(bin, "docker-credential-boxshiptest"), helper, { mode: 0o755 });
  const path = join(bin, "config.json");
  const document = {
    credsStore: "boxshiptest",
    credHelpers: { "gone.io": "gone" },
    auths: { "b.io": auth("file", "1") },
  };
  await writeFile(path, JSON.stringify(document));
  const find = credentialFiles({ paths: [path], env: { PATH: `${bin}:${process.env["PATH"]}` } });
  assert.deepEqual(await find("a.io", "x"), { kind: "password", username: "helped", password: "s" });
  assert.deepEqual(await find("docker.io", "x"), { kind: "identity-token", token: "refresh" });
  assert.equal((await find("b.io", "x"))?.kind, "password");
  assert.equal(await find("c.io", "x"), undefined);
  await assert.rejects(find("broken.io", "x"), /failed for broken.io: the keychain is locked/);
  await assert.rejects(find("gone.io", "x"), FailedPrecondition);
});

test("sources are asked in order, for their registry only", async () => {
  const one = credentialsFor("index.docker.io", { kind: "registry-token", token: "1" });
  const two = credentialsFor("b.io", { kind: "registry-token", token: "2" });
  const both = firstOf(one, two);
  assert.deepEqual(await both("docker.io", "x"), { kind: "registry-token", token: "1" });
  assert.deepEqual(await both("b.io", "x"), { kind: "registry-token", token: "2" });
  assert.equal(await both("c.io", "x"), undefined);
});
