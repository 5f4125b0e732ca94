import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { InvalidArgument, serveLoopback, Unavailable } from "@boxship/base";
import { startRegistry, type TestRegistry } from "@boxship/testkit";
import { parseReference } from "../reference.ts";
import { createRegistryClient } from "./client.ts";
import { type RegistriesConfig, registryEndpoints } from "./endpoints.ts";

let directory: string;
let registry: TestRegistry;
let ca: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "boxship-tls-"));
  const [key, certificate] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const options = [
    "-subj",
    "/CN=tests",
    "-addext",
    "subjectAltName=IP:127.0.0.1",
    "-days",
    "2",
    "-nodes",
    "-newkey",
    "rsa:2048",
  ];
  execFileSync("openssl", ["req", "-x509", ...options, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  ca = await readFile(certificate, "utf8");
  registry = await startRegistry({ tls: { certificate, key } });
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** Asks for a manifest that is not there: "not found" means that the connection was good. */
async function ask(registries: RegistriesConfig): Promise<unknown> {
  await using client = createRegistryClient({ registries });
  return await client.manifest(parseReference(`${registry.host}/app:v1`)).catch((error: unknown) => error);
}

test("TLS is taken where it is, also by a registry on the loopback, whose certificate is not asked for", async () => {
  assert.match(String(await ask({})), /manifest unknown/);
});

test("a certificate is verified where the registry is not insecure", async () => {
  const error = await ask({ [registry.host]: { insecure: false } });
  assert.ok(error instanceof Unavailable);
  assert.match(error.message, /cannot be reached: .*certificate/);
  assert.doesNotMatch(error.message, /use-system-ca/);
  assert.match(error.remedy ?? "", /as "ca" of 127\.0\.0\.1:\d+ under registries/);
});

test("a configured certificate is trusted", async () => {
  assert.match(String(await ask({ [registry.host]: { insecure: false, ca } })), /manifest unknown/);
});

test("what the machine trusts is trusted", async () => {
  const code = `
    import { createRegistryClient, parseReference } from "@boxship/oci";
    await using client = createRegistryClient({ registries: { "${registry.host}": { insecure: false } } });
    await client.manifest(parseReference("${registry.host}/app:v1")).catch((error) => console.log(error.message));`;
  const { NODE_EXTRA_CA_CERTS: _, ...others } = process.env;
  const env = { ...others, SSL_CERT_FILE: join(directory, "cert.pem") };
  const flags = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", code];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { env, cwd: import.meta.dirname });
  assert.match(stdout, /manifest unknown/);
});

test("a registry without TLS is not spoken to unless it is insecure", async () => {
  await using plain = await startRegistry();
  await using client = createRegistryClient({ registries: { [plain.host]: { insecure: false } } });
  const error: unknown = await client.manifest(parseReference(`${plain.host}/app:v1`)).catch((e: unknown) => e);
  assert.ok(error instanceof Unavailable);
  assert.match(error.remedy ?? "", /mark it "insecure"/);
});

test("endpoints follow from the configuration", () => {
  const hub = registryEndpoints("docker.io", {
    "docker.io": { mirrors: ["mirror.example/hub/", "https://m2.example:5000"] },
  });
  assert.deepEqual(
    hub.map(({ host, prefix, schemes, mirror }) => [host, prefix, schemes.join(), mirror]),
    [
      ["mirror.example", "/hub", "https", true],
      ["m2.example:5000", "", "https", true],
      ["registry-1.docker.io", "", "https", false],
    ],
  );
  for (const host of ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"]) {
    assert.deepEqual(registryEndpoints(host, {})[0].schemes, ["https", "http"]);
  }
  assert.deepEqual(registryEndpoints("127.example", {})[0].schemes, ["https"]);
  assert.deepEqual(registryEndpoints("10.0.0.1:5000", { "10.0.0.1:5000": { insecure: true } })[0].tls, {
    verify: false,
  });
  for (const mirror of ["", "http://", "a b", "ftp://x", "host:port"]) {
    assert.throws(() => registryEndpoints("a.io", { "a.io": { mirrors: [mirror] } }), InvalidArgument);
  }
});

test("through the door of another network namespace's loopback", async (t) => {
  using _door = await serveLoopback(join(directory, "door"));
  t.after(() => delete process.env["BOXSHIP_LOOPBACK_DOOR"]);
  process.env["BOXSHIP_LOOPBACK_DOOR"] = join(directory, "door");
  assert.match(String(await ask({ [registry.host]: { insecure: false, ca } })), /manifest unknown/);
  const untrusted = await ask({ [registry.host]: { insecure: false } });
  assert.match(String(untrusted), /cannot be reached: .*certificate/);
  process.env["BOXSHIP_LOOPBACK_DOOR"] = join(directory, "nosuch");
  assert.match(String(await ask({ [registry.host]: { insecure: false, ca } })), /cannot be reached: .*ENOENT/);
});
