import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isObject, type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage, InvalidArgument, NotFound, Unsupported } from "@boxship/base";
import { load } from "js-yaml";
import type { ConnectionOptions } from "../http/options.ts";

export interface KubeconfigChoice {
  /** @default the file's current context */
  readonly context?: string;
}

export interface LoadedKubeconfig {
  readonly connection: ConnectionOptions;
  /** Of the context. @default "default" */
  readonly namespace: string;
}

/**
 * How to reach a cluster by a kubeconfig. Files that it names are read from its own folder.
 *
 * @throws NotFound for a context, cluster or user that is not in it, InvalidArgument for what is no kubeconfig,
 *   Unsupported for programs and providers that would get credentials
 */
export async function loadKubeconfig(path: string, choice: KubeconfigChoice = {}): Promise<LoadedKubeconfig> {
  let config: Json;
  try {
    config = (load(await readFile(path, "utf8")) ?? null) as Json;
  } catch (error) {
    throw new InvalidArgument(`${path} cannot be read as a kubeconfig: ${errorMessage(error)}`, { cause: error });
  }
  if (!isObject(config)) throw new InvalidArgument(`${path} is no kubeconfig`);
  return await resolveKubeconfig(config, path, choice);
}

/** The same of a configuration that was read already. @param path the file that errors name and files are beside */
export async function resolveKubeconfig(
  config: JsonObject,
  path: string,
  choice: KubeconfigChoice = {},
): Promise<LoadedKubeconfig> {
  const chosen = choice.context ?? textAt(config, "current-context");
  if (chosen === "") throw new InvalidArgument(`${path} names no current context`, { remedy: "name one" });
  const context = entry(config, path, "context", chosen);
  const cluster = entry(config, path, "cluster", textAt(context, "cluster"));
  const userName = textAt(context, "user");
  const user = userName === "" ? {} : entry(config, path, "user", userName);
  refusePrograms(user, userName);
  const server = textAt(cluster, "server");
  if (!URL.canParse(server))
    throw new InvalidArgument(`cluster ${textAt(context, "cluster")} in ${path} has no server`);
  const connection = {
    server,
    ...(await material(cluster, "certificate-authority", "authority", path)),
    ...(await material(user, "client-certificate", "certificate", path)),
    ...(await material(user, "client-key", "key", path)),
    ...(await tokenOf(user, path)),
    ...(textAt(cluster, "tls-server-name") === "" ? {} : { serverName: textAt(cluster, "tls-server-name") }),
    ...(valueAt(cluster, "insecure-skip-tls-verify") === true ? { insecure: true } : {}),
  };
  return { connection, namespace: textAt(context, "namespace") || "default" };
}

function entry(config: JsonObject, path: string, what: "context" | "cluster" | "user", name: string): JsonObject {
  const found = listAt(config, `${what}s`).find((one) => textAt(one, "name") === name);
  const value = valueAt(found, what);
  if (isObject(value)) return value;
  throw new NotFound(`there is no ${what} ${JSON.stringify(name)} in ${path}`, { subject: { kind: what, name } });
}

function refusePrograms(user: JsonObject, name: string): void {
  for (const way of ["exec", "auth-provider", "username"]) {
    if (user[way] === undefined) continue;
    throw new Unsupported(`user ${name} logs in by ${way}, which is not supported`, {
      remedy: "use a certificate or a token",
    });
  }
}

/** Inline as `NAME-data` in base64, or a file as `NAME`. */
async function material(
  from: JsonObject,
  name: string,
  field: string,
  path: string,
): Promise<Readonly<Record<string, string>>> {
  const inline = textAt(from, `${name}-data`);
  if (inline !== "") return { [field]: Buffer.from(inline, "base64").toString() };
  const file = textAt(from, name);
  return file === "" ? {} : { [field]: await readFile(resolve(dirname(path), file), "utf8") };
}

async function tokenOf(user: JsonObject, path: string): Promise<Readonly<Record<string, string>>> {
  const file = textAt(user, "tokenFile");
  if (file !== "") return { token: (await readFile(resolve(dirname(path), file), "utf8")).trim() };
  const token = textAt(user, "token");
  return token === "" ? {} : { token };
}
