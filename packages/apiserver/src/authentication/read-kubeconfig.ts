import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Json, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage, InvalidArgument } from "@boxship/base";
import type { HttpsClientOptions } from "../http/https-client.ts";
import { parseYaml } from "../http/parse-yaml.ts";

/** Another server, and who we are there. */
export interface RemoteServer {
  readonly url: string;
  readonly client: HttpsClientOptions;
  readonly headers: Readonly<Record<string, string>>;
}

/** The current context of a kubeconfig. @throws InvalidArgument naming the file */
export async function readKubeconfig(path: string): Promise<RemoteServer> {
  try {
    const config = parseYaml(await readFile(path, "utf8"));
    const context = named(config, "contexts", textAt(config, "current-context"), "context");
    const cluster = named(config, "clusters", textAt(context, "cluster"), "cluster");
    const user = named(config, "users", textAt(context, "user"), "user");
    const url = textAt(cluster, "server");
    if (!url.startsWith("https://")) throw new InvalidArgument("its server is not of https");
    const directory = dirname(path);
    const [ca, certificate, key] = await Promise.all([
      material(cluster, "certificate-authority", directory),
      material(user, "client-certificate", directory),
      material(user, "client-key", directory),
    ]);
    const serverName = textAt(cluster, "tls-server-name");
    const tokenFile = textAt(user, "tokenFile");
    const token =
      tokenFile === "" ? textAt(user, "token") : (await readFile(resolve(directory, tokenFile), "utf8")).trim();
    return {
      url,
      client: {
        ...(ca === undefined ? {} : { ca }),
        ...(certificate === undefined ? {} : { certificate }),
        ...(key === undefined ? {} : { key }),
        ...(serverName === "" ? {} : { serverName }),
        insecure: valueAt(cluster, "insecure-skip-tls-verify") === true,
      },
      headers: token === "" ? {} : { authorization: `Bearer ${token}` },
    };
  } catch (cause) {
    throw new InvalidArgument(`the kubeconfig ${path} cannot be used: ${errorMessage(cause)}`, { cause });
  }
}

function named(config: Json, list: string, name: string, field: string): Json | undefined {
  return valueAt(
    listAt(config, list).find((one) => textAt(one, "name") === name),
    field,
  );
}

async function material(from: Json | undefined, field: string, directory: string): Promise<string | undefined> {
  const data = textAt(from, `${field}-data`);
  if (data !== "") return Buffer.from(data, "base64").toString();
  const path = textAt(from, field);
  return path === "" ? undefined : await readFile(resolve(directory, path), "utf8");
}
