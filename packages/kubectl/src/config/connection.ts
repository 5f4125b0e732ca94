import { dirname, resolve } from "node:path";
import { isObject, type JsonObject, textAt } from "@boxship/api";
import { type ConnectionOptions, resolveKubeconfig } from "@boxship/client";
import type { Globals } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import type { Io } from "../io.ts";
import { execCredentials } from "./exec-credentials.ts";
import { configEntry } from "./kubeconfig.ts";

export interface ClusterChoice {
  readonly connection: ConnectionOptions;
  /** Of `--namespace`, the context, or `default`. */
  readonly namespace: string;
  /** Whether somebody has named it. */
  readonly explicitNamespace: boolean;
}

const DEFAULT_SERVER = "http://localhost:8080";

/** Where a command goes, and as whom: the configuration with the flags over it. */
export async function chooseCluster(io: Io, config: JsonObject, path: string, flags: Globals): Promise<ClusterChoice> {
  const contextName = flags.context || textAt(config, "current-context");
  const context = contextName === "" ? {} : configEntry(config, "contexts", contextName);
  if (context === undefined) {
    throw new PlainRefusal(`Error in configuration: context was not found for specified context: ${contextName}`);
  }
  const clusterName = flags.cluster || textAt(context, "cluster");
  const userName = flags.user || textAt(context, "user");
  const cluster = clusterName === "" ? {} : configEntry(config, "clusters", clusterName);
  if (cluster === undefined) throw new Refusal(`cluster ${JSON.stringify(clusterName)} does not exist`);
  const user = userName === "" ? {} : configEntry(config, "users", userName);
  if (user === undefined) throw new Refusal(`auth info ${JSON.stringify(userName)} does not exist`);
  const overridden = withFlags(cluster, clusterFlags(flags));
  const login = userWithout(user, flags);
  const { exec, ...plain } = login;
  const asked = isObject(exec)
    ? await execCredentials(io, { name: userName, exec, cluster: overridden, folder: dirname(resolve(path)) })
    : undefined;
  const whole: JsonObject = {
    "current-context": "chosen",
    contexts: [{ name: "chosen", context: { cluster: "chosen", user: "chosen" } }],
    clusters: [{ name: "chosen", cluster: overridden }],
    users: [
      { name: "chosen", user: withFlags({ ...(asked === undefined ? login : plain), ...asked }, userFlags(flags)) },
    ],
  };
  const { connection } = await resolveKubeconfig(whole, path);
  const namespace = flags.namespace || textAt(context, "namespace");
  return { connection, namespace: namespace || "default", explicitNamespace: flags.namespace !== "" };
}

const withFlags = (base: JsonObject, over: Readonly<Record<string, string | boolean>>): JsonObject => {
  const result: JsonObject = { server: DEFAULT_SERVER, ...base };
  for (const [field, value] of Object.entries(over)) {
    if (value === "" || value === false) continue;
    delete result[`${field}-data`];
    result[field] = value;
  }
  return result;
};

const clusterFlags = (flags: Globals) => ({
  server: flags.server === "" || /^https?:/.test(flags.server) ? flags.server : `http://${flags.server}`,
  "certificate-authority": flags["certificate-authority"],
  "insecure-skip-tls-verify": flags["insecure-skip-tls-verify"],
  "tls-server-name": flags["tls-server-name"],
});

/** A token that is given takes the place of the one in the file. */
function userWithout(user: JsonObject, { token }: Globals): JsonObject {
  if (token === "") return user;
  const { tokenFile: _tokenFile, exec: _exec, ...rest } = user;
  return rest;
}

const userFlags = (flags: Globals) => ({
  "client-certificate": flags["client-certificate"],
  "client-key": flags["client-key"],
  token: flags.token,
});
