import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSign, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PermissionDenied } from "@boxship/base";
import { faultyProxy, startRegistry, type TestRegistry } from "@boxship/testkit";
import { parseReference } from "../reference.ts";
import { createRegistryClient } from "./client.ts";
import { type Credentials, credentialsFor } from "./credentials.ts";

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly authorization: string | undefined;
  readonly form: URLSearchParams;
}

let directory: string;
let registry: TestRegistry;
let server: http.Server;
let key: string;
let certificate: string;
const asked: Asked[] = [];

/** A token as docker-registry verifies it: signed, with the certificate in its header. */
function makeToken(scopes: readonly string[]): string {
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const der = certificate.replace(/-----[A-Z ]+-----|\s/g, "");
  const now = Math.floor(Date.now() / 1000);
  const access = scopes.map((scope) => {
    const [type, name, actions = ""] = scope.split(":");
    return { type, name, actions: actions.split(",") };
  });
  const claims = {
    iss: "tests",
    aud: "registry",
    sub: "",
    iat: now,
    nbf: now - 10,
    exp: now + 300,
    jti: randomUUID(),
    access,
  };
  const text = `${encode({ typ: "JWT", alg: "RS256", x5c: [der] })}.${encode(claims)}`;
  return `${text}.${createSign("sha256").update(text).sign(key, "base64url")}`;
}

/** Lets everybody read, except `secret/…`, which needs alice's password or refresh token. */
async function answer(incoming: http.IncomingMessage, outgoing: http.ServerResponse): Promise<void> {
  let body = "";
  for await (const part of incoming) body += String(part);
  const url = new URL(incoming.url ?? "", "http://x");
  const form = new URLSearchParams(body);
  const { authorization } = incoming.headers;
  asked.push({ method: incoming.method ?? "", url, authorization, form });
  const scopes = incoming.method === "POST" ? (form.get("scope") ?? "").split(" ") : url.searchParams.getAll("scope");
  const known =
    authorization === `Basic ${btoa("alice:wonder")}` || ["first", "second"].includes(form.get("refresh_token") ?? "");
  if (authorization !== undefined && !known) {
    outgoing.writeHead(401).end(JSON.stringify({ errors: [{ code: "UNAUTHORIZED", message: "bad account" }] }));
    return;
  }
  const token = makeToken(scopes.filter((scope) => known || !scope.includes("secret")));
  const refresh = form.get("refresh_token") === "first" ? { refresh_token: "second" } : {};
  outgoing.end(
    JSON.stringify(incoming.method === "POST" ? { access_token: token, ...refresh } : { token, expires_in: 300 }),
  );
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "boxship-token-"));
  const files = [join(directory, "key.pem"), join(directory, "cert.pem")] as const;
  const subject = ["-subj", "/CN=tests", "-days", "2", "-nodes", "-newkey", "rsa:2048"];
  execFileSync("openssl", ["req", "-x509", ...subject, "-keyout", files[0], "-out", files[1]], { stdio: "ignore" });
  [key, certificate] = [await readFile(files[0], "utf8"), await readFile(files[1], "utf8")];
  server = http.createServer((incoming, outgoing) => void answer(incoming, outgoing));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  registry = await startRegistry({
    environment: {
      REGISTRY_AUTH_TOKEN_REALM: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
      REGISTRY_AUTH_TOKEN_SERVICE: "registry",
      REGISTRY_AUTH_TOKEN_ISSUER: "tests",
      REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE: files[1],
    },
  });
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  server.close();
  server.closeAllConnections();
  await rm(directory, { recursive: true, force: true });
});

/** 404 is what a registry says to those it lets in. */
async function letIn(repository: string, credentials?: Credentials, times = 1): Promise<boolean> {
  asked.length = 0;
  const source = credentials === undefined ? undefined : credentialsFor(registry.host, credentials);
  await using client = createRegistryClient(source === undefined ? {} : { credentials: source });
  let denied = false;
  for (let n = 0; n < times; n++) {
    const error: unknown = await client
      .manifest(parseReference(`${registry.host}/${repository}:v${n}`))
      .catch((thrown: unknown) => thrown);
    denied ||= error instanceof PermissionDenied;
    if (!denied) assert.match(String(error), /manifest unknown/);
  }
  return !denied;
}

test("an anonymous token is got once and used for every request of its scope", async () => {
  assert.equal(await letIn("open/app", undefined, 4), true);
  assert.equal(asked.length, 1);
  assert.deepEqual(asked[0]?.url.searchParams.getAll("scope"), ["repository:open/app:pull"]);
  assert.equal(asked[0]?.url.searchParams.get("service"), "registry");
  assert.equal(asked[0]?.authorization, undefined);
});

test("who may not read is refused in Docker's words", async () => {
  assert.equal(await letIn("secret/app"), false);
  await using client = createRegistryClient();
  const error: unknown = await client
    .manifest(parseReference(`${registry.host}/secret/app:v1`))
    .catch((e: unknown) => e);
  assert.match(
    String(error),
    /pull access denied for 127.*secret\/app, repository does not exist or may require 'docker login': unauthorized/,
  );
});

test("a password is given to the token server", async () => {
  assert.equal(await letIn("secret/app", { kind: "password", username: "alice", password: "wonder" }), true);
  assert.equal(asked[0]?.url.searchParams.get("account"), "alice");
  assert.equal(await letIn("secret/app", { kind: "password", username: "alice", password: "no" }), false);
});

test("an identity token is exchanged, and replaced when the server gives a new one", async () => {
  const credentials = { kind: "identity-token", token: "first" } as const;
  assert.equal(await letIn("secret/app", credentials), true);
  assert.equal(asked[0]?.method, "POST");
  assert.equal(asked[0]?.form.get("grant_type"), "refresh_token");
  asked.length = 0;
  await using client = createRegistryClient({ credentials: credentialsFor(registry.host, credentials) });
  for (const name of ["secret/a", "secret/b"]) {
    await assert.rejects(client.manifest(parseReference(`${registry.host}/${name}:1`)), /manifest unknown/);
  }
  assert.deepEqual(
    asked.map(({ form }) => form.get("refresh_token")),
    ["first", "second"],
  );
});

test("a registry token goes to the registry as it is", async () => {
  const token = makeToken(["repository:secret/app:pull"]);
  assert.equal(await letIn("secret/app", { kind: "registry-token", token }), true);
  assert.equal(asked.length, 0);
});

test("requests at the same time share one token", async () => {
  await using client = createRegistryClient();
  const reference = (tag: string) => parseReference(`${registry.host}/open/app:${tag}`);
  await assert.rejects(client.manifest(reference("first")));
  asked.length = 0;
  const other = (n: number) => parseReference(`${registry.host}/open/other:v${n}`);
  await Promise.all([1, 2, 3, 4].map((n) => assert.rejects(client.manifest(other(n)))));
  assert.equal(asked.length, 1);
});

test("a token that the registry no longer takes is replaced", async () => {
  let refuse = false;
  const expired = { kind: "status", status: 401, headers: { "www-authenticate": "" } } as const;
  await using proxy = await faultyProxy(registry, (request) => {
    if (!refuse || !request.path.includes("manifests")) return undefined;
    refuse = false;
    const { port } = server.address() as AddressInfo;
    return {
      ...expired,
      headers: { "www-authenticate": `Bearer realm="http://127.0.0.1:${port}/token",service="registry"` },
    };
  });
  await using client = createRegistryClient();
  const reference = parseReference(`${proxy.host}/open/app:v1`);
  await assert.rejects(client.manifest(reference), /manifest unknown/);
  asked.length = 0;
  refuse = true;
  await assert.rejects(client.manifest(reference), /manifest unknown/);
  assert.equal(asked.length, 1);
});

test("credentials are not sent to a token server without TLS by a registry with TLS", async () => {
  const { tokenServer } = await import("./authentication.ts");
  const endpoint = { host: "r.example", prefix: "", schemes: ["https"] as const, tls: {}, mirror: false };
  const challenge = (realm: string) => ({ scheme: "bearer", parameters: { realm } });
  assert.equal(tokenServer(endpoint, challenge("https://t.example/x")).host, "t.example");
  for (const realm of ["http://t.example/x", "file:///etc/passwd", "nonsense", ""]) {
    assert.throws(() => tokenServer(endpoint, challenge(realm)), PermissionDenied);
  }
});
