import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type ConfigContent, type ConfigFile, type StoredAuth } from "./config-file.ts";
import { type HelperCredentials, helperErase, helperGet, helperStore } from "./credential-helper.ts";

/** Key under which the public registry's credentials are kept. */
export const DEFAULT_SERVER = "https://index.docker.io/v1/";

/** Credentials as the engine takes them, in `X-Registry-Auth` and `/auth`. */
export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
  readonly serveraddress: string;
}

/** The registry of an image's name: the part before the first slash, if it looks like a host. */
export function registryOf(image: string): string {
  const [first = "", ...rest] = image.split("/");
  const host = rest.length > 0 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  return host && first !== "docker.io" && first !== "index.docker.io" ? first : DEFAULT_SERVER;
}

/** A server's address as it is compared: without scheme and path. */
function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
}

/** The same for each of the names that Docker's own registry has. */
function registryHost(server: string): string {
  const host = hostOf(server);
  return host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}

/** Whether a key is for a part of a registry, as podman writes them (`quay.io/team`), and not for all of it. */
function isPart(key: string): boolean {
  return !/^https?:/.test(key) && /\/(?!v[12]\/?$)./.test(key);
}

function fromStored(server: string, stored: StoredAuth): RegistryAuth {
  const decoded = Buffer.from(stored.auth ?? "", "base64").toString();
  const at = decoded.indexOf(":");
  return {
    ...(at > 0 && { username: decoded.slice(0, at), password: decoded.slice(at + 1).replace(/\0+$/, "") }),
    ...(stored.identitytoken && { identitytoken: stored.identitytoken }),
    ...(stored.registrytoken && { registrytoken: stored.registrytoken }),
    serveraddress: server,
  };
}

function fromHelper(server: string, { Username, Secret }: HelperCredentials): RegistryAuth {
  if (Username === "<token>") return { identitytoken: Secret, serveraddress: server };
  return { username: Username, password: Secret, serveraddress: server };
}

function storedAuth({ auths = {} }: ConfigContent, server: string, image: string): StoredAuth | undefined {
  // A part's log-in goes before that of what it is in.
  const holds = (key: string) => image.startsWith(key) && /^(?:[:@/]|$)/.test(image.slice(key.length));
  const [part] = Object.keys(auths)
    .filter((key) => isPart(key) && holds(key))
    .sort((a, b) => b.length - a.length);
  if (part !== undefined) return auths[part];
  if (Object.hasOwn(auths, server)) return auths[server];
  const host = registryHost(server);
  const key = Object.keys(auths).find((candidate) => !isPart(candidate) && registryHost(candidate) === host);
  return key === undefined ? undefined : auths[key];
}

function helperFor({ credHelpers = {}, credsStore }: ConfigContent, server: string): string | undefined {
  return credHelpers[hostOf(server)] ?? credHelpers[server] ?? (credsStore || undefined);
}

/**
 * What is known of a server; undefined when nobody logged in there.
 *
 * @param image that it is for, where there is one: log-ins may be for a part of a registry
 */
export async function findAuth(config: ConfigFile, server: string, image = ""): Promise<RegistryAuth | undefined> {
  const helper = helperFor(config.content, server);
  if (helper !== undefined) {
    const credentials = await helperGet(helper, server);
    if (credentials !== undefined) return fromHelper(server, credentials);
  }
  for (const content of [config.content, ...config.more]) {
    const stored = storedAuth(content, server, image);
    if (stored?.auth || stored?.identitytoken || stored?.registrytoken) return fromStored(server, stored);
  }
  return undefined;
}

/** The `X-Registry-Auth` header for an image, if there is something to say. */
export async function authHeaders(config: ConfigFile, image: string): Promise<Readonly<Record<string, string>>> {
  const auth = await findAuth(config, registryOf(image), image);
  if (auth === undefined) return {};
  return { "X-Registry-Auth": Buffer.from(JSON.stringify(auth)).toString("base64url") };
}

/** Writes the file so that it is the old or the new one, whole, and nobody else can read it. */
async function writeConfig(path: string, content: object): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await using file = await open(temporary, "wx", 0o600);
    await file.writeFile(`${JSON.stringify(content, undefined, "\t")}\n`);
    await file.sync();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Where credentials are kept: in the helper that the file names, otherwise in the file. */
export interface StoredWhere {
  readonly helper?: string;
  /** They were not there yet. */
  readonly changed: boolean;
}

export async function storeAuth(config: ConfigFile, auth: RegistryAuth): Promise<StoredWhere> {
  const { serveraddress: server } = auth;
  const helper = helperFor(config.content, server);
  const auths: Record<string, StoredAuth> = { ...config.content.auths };
  if (helper === undefined) {
    const pair = Buffer.from(`${auth.username ?? ""}:${auth.identitytoken ? "" : (auth.password ?? "")}`);
    const before = auths[server];
    const { identitytoken } = auth;
    const kept: StoredAuth = { auth: pair.toString("base64"), ...(identitytoken && { identitytoken }) };
    if (before?.auth === kept.auth && before?.identitytoken === kept.identitytoken) return { changed: false };
    auths[server] = kept;
  } else {
    const token = auth.identitytoken;
    const Username = token ? "<token>" : (auth.username ?? "");
    await helperStore(helper, server, { Username, Secret: token || (auth.password ?? "") });
    auths[server] = {};
  }
  await writeConfig(config.path, { ...config.content, auths });
  return { ...(helper === undefined ? {} : { helper }), changed: true };
}

/** Forgets a server's credentials; false when there were none. */
export async function eraseAuth(config: ConfigFile, server: string): Promise<boolean> {
  const helper = helperFor(config.content, server);
  if (helper !== undefined) await helperErase(helper, server);
  const host = registryHost(server);
  const auths = Object.entries(config.content.auths ?? {});
  const kept = auths.filter(([key]) => key !== server && registryHost(key) !== host);
  if (kept.length === auths.length) return helper !== undefined;
  await writeConfig(config.path, { ...config.content, auths: Object.fromEntries(kept) });
  return true;
}
