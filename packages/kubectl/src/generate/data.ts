import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { JsonObject } from "@boxship/api";
import { structJson } from "@boxship/api/go-json";
import { Refusal } from "../failure.ts";
import { array, bool, slice, str } from "../flags.ts";
import { generator, objectOf } from "./generator.ts";

const sourceFlags = {
  "append-hash": bool(),
  "from-env-file": slice(),
  "from-file": slice(),
  "from-literal": array(),
};

interface Sources {
  readonly "append-hash": boolean;
  readonly "from-env-file": readonly string[];
  readonly "from-file": readonly string[];
  readonly "from-literal": readonly string[];
}

/** Values by key, from files, folders, lines and words. */
async function readSources(
  flags: Sources,
  env: Readonly<Record<string, string | undefined>>,
  what: string,
): Promise<ReadonlyMap<string, Buffer>> {
  if (flags["append-hash"]) throw new Refusal("--append-hash is not supported");
  if (flags["from-env-file"].length > 0 && (flags["from-file"].length > 0 || flags["from-literal"].length > 0)) {
    throw new Refusal("from-env-file cannot be combined with from-file or from-literal");
  }
  const values = new Map<string, Buffer>();
  const add = (key: string, value: Buffer): void => {
    if (!/^[-._a-zA-Z0-9]+$/.test(key) || key === "." || key.startsWith("..")) {
      throw new Refusal(
        `${JSON.stringify(key)} is not a valid key name for a ${what}: a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
      );
    }
    if (values.has(key)) {
      throw new Refusal(
        `cannot add key ${JSON.stringify(key)}, another key by that name already exists in Data for ${what}`,
      );
    }
    values.set(key, value);
  };
  for (const source of flags["from-literal"]) {
    const at = source.indexOf("=");
    if (at <= 0) throw new Refusal(`invalid literal source ${source}, expected key=value`);
    const value = source.slice(at + 1);
    add(source.slice(0, at), Buffer.from(/^(["']).*\1$/s.test(value) && value.length > 1 ? value.slice(1, -1) : value));
  }
  for (const source of flags["from-file"]) for (const [key, path] of await filesOf(source)) add(key, await read(path));
  for (const path of flags["from-env-file"]) {
    for (const [key, value] of parseEnv((await read(path)).toString(), env)) add(key, Buffer.from(value));
  }
  return values;
}

async function read(path: string): Promise<Buffer> {
  return await readFile(path).catch(() => {
    throw new Refusal(`error reading ${path}: no such file or directory`);
  });
}

async function filesOf(source: string): Promise<readonly (readonly [string, string])[]> {
  const at = source.indexOf("=");
  if (at === 0) throw new Refusal(`key name for file path ${source.slice(1)} missing`);
  if (at === source.length - 1) throw new Refusal(`file path for key name ${source.slice(0, at)} missing`);
  const path = at < 0 ? source : source.slice(at + 1);
  const found = await stat(path).catch(() => {
    throw new Refusal(`error reading ${path}: no such file or directory`);
  });
  if (!found.isDirectory()) return [[at < 0 ? basename(path) : source.slice(0, at), path]];
  if (at >= 0) throw new Refusal("cannot give a key name for a directory path");
  const entries = await readdir(path, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ name }): [string, string] => [name, join(path, name)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function* parseEnv(text: string, env: Readonly<Record<string, string | undefined>>): Generator<[string, string]> {
  for (const line of text.replace(/^\ufeff/, "").split(/\r?\n/)) {
    const trimmed = line.replace(/^\s+/, "");
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const at = trimmed.indexOf("=");
    const key = at < 0 ? trimmed : trimmed.slice(0, at);
    yield [key, at < 0 ? (env[key] ?? "") : trimmed.slice(at + 1)];
  }
}

function isText(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString("utf8"), "utf8").equals(bytes);
}

const sorted = (entries: readonly (readonly [string, string])[]): JsonObject =>
  Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));

export const configmap = generator({
  usage: "NAME [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]",
  summary: "Create a config map from a local file, directory or literal value",
  flags: sourceFlags,
  async build({ session, flags, name }) {
    const values = [...(await readSources(flags, session.io.env, "ConfigMap"))];
    const texts = values.filter(([, value]) => isText(value)).map(([key, value]) => [key, value.toString()] as const);
    const others = values
      .filter(([, value]) => !isText(value))
      .map(([key, value]) => [key, value.toString("base64")] as const);
    return objectOf(
      "v1",
      "ConfigMap",
      { name },
      {
        ...(texts.length > 0 && { data: sorted(texts) }),
        ...(others.length > 0 && { binaryData: sorted(others) }),
      },
    );
  },
});

const base64 = (values: Iterable<readonly [string, Buffer]>): JsonObject =>
  sorted([...values].map(([key, value]) => [key, value.toString("base64")]));

export const secretGeneric = generator({
  usage: "NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]",
  summary: "Create a secret from a local file, directory, or literal value",
  flags: { ...sourceFlags, type: str() },
  async build({ session, flags, name }) {
    const values = await readSources(flags, session.io.env, "Secret");
    return objectOf(
      "v1",
      "Secret",
      { name },
      {
        ...(values.size > 0 && { data: base64(values) }),
        ...(flags.type !== "" && { type: flags.type }),
      },
    );
  },
});

export const secretTls = generator({
  usage: "NAME --cert=path/to/cert/file --key=path/to/key/file [--dry-run=server|client|none]",
  summary: "Create a TLS secret",
  flags: { "append-hash": bool(), cert: str(), key: str() },
  async build({ flags, name }) {
    if (flags["append-hash"]) throw new Refusal("--append-hash is not supported");
    if (flags.cert === "" || flags.key === "") throw new Refusal("key and cert must be specified");
    const file = async (path: string): Promise<Buffer> =>
      await readFile(path).catch(() => {
        throw new Refusal(`Cannot read file ${path}, open ${path}: no such file or directory`);
      });
    const [cert, key] = [await file(flags.cert), await file(flags.key)];
    await checkPair(cert, key);
    const data = base64([
      ["tls.crt", cert],
      ["tls.key", key],
    ]);
    return objectOf("v1", "Secret", { name }, { data, type: "kubernetes.io/tls" });
  },
});

async function checkPair(cert: Buffer, key: Buffer): Promise<void> {
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  let fits: boolean;
  try {
    fits = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    throw new Refusal("tls: failed to find any PEM data in certificate input");
  }
  if (!fits) throw new Refusal("tls: private key does not match public key");
}

export const secretDockerRegistry = generator({
  usage: "NAME --docker-username=user --docker-password=password --docker-email=email [--docker-server=string]",
  summary: "Create a secret for use with a Docker registry",
  flags: {
    "append-hash": bool(),
    "docker-email": str(),
    "docker-password": str(),
    "docker-server": str("https://index.docker.io/v1/"),
    "docker-username": str(),
    "from-file": slice(),
  },
  async build({ flags, name }) {
    if (flags["append-hash"]) throw new Refusal("--append-hash is not supported");
    const { "docker-username": username, "docker-password": password, "docker-email": email } = flags;
    const secret = (text: Buffer) =>
      objectOf(
        "v1",
        "Secret",
        { name },
        {
          data: base64([[".dockerconfigjson", text]]),
          type: "kubernetes.io/dockerconfigjson",
        },
      );
    if (flags["from-file"].length > 0) {
      const [[, path] = ["", ""]] = await filesOf(flags["from-file"][0] ?? "");
      const text = await read(path);
      JSON.parse(text.toString());
      return secret(text);
    }
    if (username === "" || password === "") {
      throw new Refusal(
        "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required",
      );
    }
    const auth = Buffer.from(`${username}:${password}`).toString("base64");
    const entry = { username, password, ...(email !== "" && { email }), auth };
    return secret(Buffer.from(structJson({ auths: { [flags["docker-server"]]: entry } }, "")));
  },
});
