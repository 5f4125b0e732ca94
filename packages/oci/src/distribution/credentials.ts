import { access, constants, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { FailedPrecondition, InvalidArgument, systemCode } from "@boxship/base";
import { runProcess } from "@boxship/kernel";
import { Field } from "../decode.ts";

/** What a registry's client proves itself with. */
export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token that the token server takes (`identitytoken`). */
  | { readonly kind: "identity-token"; readonly token: string }
  /** Sent to the registry as it is (`registrytoken`). */
  | { readonly kind: "registry-token"; readonly token: string };

/**
 * Finds credentials for a registry, `host[:port]` with `docker.io` for Docker Hub, and a repository in it. Undefined
 * means to go on without.
 */
export type CredentialSource = (
  registry: string,
  repository: string,
  signal?: AbortSignal,
) => Promise<Credentials | undefined>;

/** Goes without credentials. */
export const anonymous: CredentialSource = () => Promise.resolve(undefined);

/** The same credentials for one registry, none for others. */
export function credentialsFor(registry: string, credentials: Credentials): CredentialSource {
  const host = normalizeRegistry(registry);
  return (asked) => Promise.resolve(normalizeRegistry(asked) === host ? credentials : undefined);
}

/** The first answer of several sources. */
export function firstOf(...sources: readonly CredentialSource[]): CredentialSource {
  return async (registry, repository, signal) => {
    for (const source of sources) {
      const found = await source(registry, repository, signal);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

export interface CredentialFileOptions {
  /**
   * Files in the format of Docker's `config.json`, the first that knows the registry wins; missing ones are skipped.
   * @default $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json, and config.json in $DOCKER_CONFIG or ~/.docker
   */
  readonly paths?: readonly string[];
  /** @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

const FILE_LIMIT = 4 * 1024 * 1024;
const HELPER_TIMEOUT_MS = 30_000;
/** What Docker files its own registry under. */
const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

/**
 * Credentials from the files that `docker login` and `podman login` write, and from the helpers that these name. Files
 * are read at every call, so that a login takes effect at once.
 *
 * Sources throw InvalidArgument for a malformed file, FailedPrecondition when a helper fails.
 */
export function credentialFiles(options: CredentialFileOptions = {}): CredentialSource {
  const env = options.env ?? process.env;
  const paths = options.paths ?? defaultPaths(env);
  return async (registry, repository, signal) => {
    for (const path of paths) {
      const found = await fromFile(path, normalizeRegistry(registry), repository, env, signal);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

function defaultPaths(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const runtime = env["XDG_RUNTIME_DIR"];
  const explicit = env["REGISTRY_AUTH_FILE"];
  return [
    ...(explicit === undefined ? [] : [explicit]),
    ...(runtime === undefined ? [] : [join(runtime, "containers", "auth.json")]),
    join(env["DOCKER_CONFIG"] ?? join(env["HOME"] ?? homedir(), ".docker"), "config.json"),
  ];
}

/** One spelling for a registry. Files name registries with and without scheme and API version; Docker Hub has several names. */
function normalizeRegistry(key: string): string {
  const bare = key
    .replace(/^https?:\/\//, "")
    .replace(/\/v[12]\/?$/, "")
    .replace(/\/+$/, "");
  return /^(?:index\.docker\.io|registry-1\.docker\.io)$/.test(bare) ? "docker.io" : bare;
}

async function fromFile(
  path: string,
  registry: string,
  repository: string,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal | undefined,
): Promise<Credentials | undefined> {
  const bytes = await readFile(path).catch((error: unknown) => {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  });
  if (bytes === undefined) return undefined;
  const file = Field.parse(`credentials file ${path}`, bytes, FILE_LIMIT);
  const helper = findHelper(file, registry);
  const fromHelper = helper === undefined ? undefined : await askHelper(helper, registry, env, signal);
  return fromHelper ?? fromEntries(file, registry, repository);
}

function findHelper(file: Field, registry: string): string | undefined {
  const helpers = file.get("credHelpers").optional((field) => field.stringRecord()) ?? {};
  const own = Object.entries(helpers).find(([key]) => normalizeRegistry(key) === registry)?.[1];
  const name = own ?? file.get("credsStore").optional((field) => field.string());
  if (name === undefined || name === "") return undefined;
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw new InvalidArgument(`invalid credential helper ${JSON.stringify(name)}`);
  return name;
}

/** An entry for `registry/org/app` goes before one for `registry/org`, and that before one for the registry. */
function fromEntries(file: Field, registry: string, repository: string): Credentials | undefined {
  const auths = file.get("auths");
  if (!auths.present) return undefined;
  const byName = new Map(Object.keys(auths.object()).map((key) => [normalizeRegistry(key), key]));
  const names = [registry];
  for (const part of repository.split("/")) names.unshift(`${names[0]}/${part}`);
  for (const name of names) {
    const key = byName.get(name);
    const found = key === undefined ? undefined : readEntry(auths.get(key));
    if (found !== undefined) return found;
  }
  return undefined;
}

function readEntry(entry: Field): Credentials | undefined {
  const text = (key: string) => entry.get(key).optional((field) => field.string()) ?? "";
  if (text("registrytoken") !== "") return { kind: "registry-token", token: text("registrytoken") };
  if (text("identitytoken") !== "") return { kind: "identity-token", token: text("identitytoken") };
  let [username, password] = [text("username"), text("password")];
  if (text("auth") !== "") {
    const decoded = Buffer.from(text("auth"), "base64").toString();
    const colon = decoded.indexOf(":");
    if (colon === -1) throw entry.get("auth").fail("expected base64 of user:password");
    [username, password] = [decoded.slice(0, colon), decoded.slice(colon + 1).replace(/\0+$/, "")];
  }
  return username === "" && password === "" ? undefined : { kind: "password", username, password };
}

/** The protocol of docker-credential-helpers: the server's name in, a JSON object out. */
async function askHelper(
  name: string,
  registry: string,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal | undefined,
): Promise<Credentials | undefined> {
  const file = `docker-credential-${name}`;
  const server = registry === "docker.io" ? DOCKER_HUB_KEY : registry;
  const result = await runProcess({
    file: await findExecutable(file, env),
    args: ["get"],
    input: server,
    env,
    timeout: HELPER_TIMEOUT_MS,
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => {
    throw new FailedPrecondition(`credential helper ${file} cannot be run`, {
      cause: error,
      subject: { kind: "credential helper", name },
      remedy: "install it, or remove it from credHelpers and credsStore",
    });
  });
  const output = result.stdout.toString().trim();
  if (result.code !== 0) {
    if (/credentials not found/i.test(output)) return undefined;
    throw new FailedPrecondition(`credential helper ${file} failed for ${server}: ${output.slice(0, 300)}`, {
      subject: { kind: "credential helper", name },
    });
  }
  return readHelperAnswer(Field.parse(`the answer of ${file}`, result.stdout, FILE_LIMIT));
}

function readHelperAnswer(answer: Field): Credentials | undefined {
  const username = answer.get("Username").optional((field) => field.string()) ?? "";
  const secret = answer.get("Secret").optional((field) => field.string()) ?? "";
  if (secret === "") return undefined;
  if (username === "<token>") return { kind: "identity-token", token: secret };
  return { kind: "password", username, password: secret };
}

async function findExecutable(file: string, env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const directories = (env["PATH"] ?? "").split(":").filter((directory) => directory !== "");
  for (const directory of directories) {
    const path = join(directory, file);
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return path;
  }
  return file;
}
