import { deepEqual, equal, rejects } from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { type TempDir, tempDir } from "@boxship/testkit";
import { loadConfig } from "./config-file.ts";
import { authHeaders, DEFAULT_SERVER, eraseAuth, findAuth, registryOf, storeAuth } from "./registry-auth.ts";

function home(files: Readonly<Record<string, unknown>>): TempDir {
  const directory = tempDir("cli-config");
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(directory.join(name)), { recursive: true });
    writeFileSync(directory.join(name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return directory;
}

const load = (directory: TempDir, env: NodeJS.ProcessEnv = {}) => loadConfig({ HOME: directory.path, ...env });
const basic = (pair: string) => ({ auth: Buffer.from(pair).toString("base64") });

test("the registry of an image's name", () => {
  const cases = { "busybox:1": DEFAULT_SERVER, "a/b": DEFAULT_SERVER, "docker.io/a": DEFAULT_SERVER };
  for (const [image, server] of Object.entries(cases)) equal(registryOf(image), server);
  equal(registryOf("localhost/a"), "localhost");
  equal(registryOf("reg.example:5000/a/b"), "reg.example:5000");
});

test("credentials are found under every spelling, in the client's file and in podman's", async () => {
  await using directory = home({
    ".docker/config.json": {
      auths: { "https://reg.example/v1/": basic("u:p:w"), "b.example": { identitytoken: "t" } },
    },
    ".config/containers/auth.json": { auths: { "c.example": basic("c:d"), "reg.example": basic("not:this") } },
  });
  const config = await load(directory);
  deepEqual(await findAuth(config, "reg.example"), { username: "u", password: "p:w", serveraddress: "reg.example" });
  deepEqual(await findAuth(config, "b.example"), { identitytoken: "t", serveraddress: "b.example" });
  equal((await findAuth(config, "c.example"))?.username, "c");
  equal(await findAuth(config, "d.example"), undefined);
  const { "X-Registry-Auth": header = "" } = await authHeaders(config, "reg.example/x:1");
  equal((JSON.parse(Buffer.from(header, "base64url").toString()) as { username: string }).username, "u");
  deepEqual(await authHeaders(config, "d.example/x"), {});
});

test("what podman keeps for a part of a registry is for that part, and docker.io is Docker's own registry", async () => {
  const auths = {
    "q.example/a": basic("a:1"),
    "q.example/a/deep": basic("deep:1"),
    "docker.io": basic("hub:1"),
    team: basic("host:1"),
  };
  await using directory = home({ ".config/containers/auth.json": { auths } });
  const config = await load(directory);
  const user = async (image: string) => {
    const { "X-Registry-Auth": header } = await authHeaders(config, image);
    if (header === undefined) return undefined;
    return (JSON.parse(Buffer.from(header, "base64url").toString()) as { username: string }).username;
  };
  equal(await user("q.example/a/x:1"), "a");
  equal(await user(`q.example/a/deep@sha256:${"0".repeat(64)}`), "deep");
  equal(await user("q.example/a/deep/er"), "deep");
  equal(await user("q.example/a/deep"), "deep");
  equal(await user("q.example/ab"), undefined);
  equal(await user("q.example/b/x"), undefined);
  equal(await user("busybox"), "hub");
  equal(await user("team/app"), "hub");
  equal((await findAuth(config, DEFAULT_SERVER))?.username, "hub");
});

test("storing and erasing keeps what else is in the file, private and whole", async () => {
  await using directory = home({
    ".docker/config.json": { psFormat: "{{.ID}}", auths: { "x.example": basic("a:b") }, other: { k: 1 } },
  });
  const path = directory.join(".docker/config.json");
  const auth = { username: "u", password: "p", serveraddress: "y.example" };
  deepEqual(await storeAuth(await load(directory), auth), { changed: true });
  deepEqual(await storeAuth(await load(directory), auth), { changed: false });
  const stored = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  deepEqual(stored, {
    psFormat: "{{.ID}}",
    auths: { "x.example": basic("a:b"), "y.example": basic("u:p") },
    other: { k: 1 },
  });
  equal(statSync(path).mode & 0o777, 0o600);
  equal(await eraseAuth(await load(directory), "y.example"), true);
  equal(await eraseAuth(await load(directory), "y.example"), false);
  deepEqual(Object.keys((await load(directory)).content.auths ?? {}), ["x.example"]);
});

test("a missing file is an empty one; a broken one is named", async () => {
  await using directory = home({ "bad/config.json": "{" });
  deepEqual((await load(directory)).content, {});
  await rejects(() => load(directory, { DOCKER_CONFIG: directory.join("bad") }), /cannot read .*bad\/config\.json: /);
});

/** A credential helper that keeps each server in a file. */
const HELPER = `#!/bin/sh
cd "$(dirname "$0")"
case $1 in
  get) read -r server; f=$(echo "$server" | tr -c 'a-z0-9\\n' _); [ -e "k_$f" ] || { echo "credentials not found in native keychain"; exit 1; }; cat "k_$f" ;;
  store) body=$(cat); f=$(echo "$body" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/' | tr -c 'a-z0-9\\n' _); echo "$body" >"k_$f" ;;
  erase) read -r server || :; rm -f k_* ;;
esac
`;

test("credential helpers", async () => {
  await using directory = home({
    ".docker/config.json": { credHelpers: { "h.example": "keeper" }, credsStore: "missing" },
    "bin/docker-credential-keeper": HELPER,
  });
  chmodSync(directory.join("bin/docker-credential-keeper"), 0o755);
  const path = process.env["PATH"];
  process.env["PATH"] = `${directory.join("bin")}:${path}`;
  try {
    equal(await findAuth(await load(directory), "h.example"), undefined);
    const auth = { username: "u", password: "s", serveraddress: "h.example" };
    deepEqual(await storeAuth(await load(directory), auth), { helper: "keeper", changed: true });
    equal(readFileSync(directory.join(".docker/config.json"), "utf8").includes('"s"'), false);
    deepEqual(await findAuth(await load(directory), "h.example"), auth);
    equal(await eraseAuth(await load(directory), "h.example"), true);
    equal(await findAuth(await load(directory), "h.example"), undefined);
    const config = await load(directory);
    await rejects(() => findAuth(config, "other.example"), /docker-credential-missing is not in \$PATH/);
  } finally {
    process.env["PATH"] = path;
  }
});
