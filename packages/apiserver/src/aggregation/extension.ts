import { Agent } from "node:https";
import { isIP } from "node:net";
import { isObject, type Json, type JsonObject, type KubeObject, textAt, valueAt } from "@boxship/api";
import type { KeyPair } from "../certificates/issue-certificate.ts";

/** An APIService whose version another server serves. */
export interface Extension {
  /** Of the APIService. */
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly groupPriority: number;
  readonly versionPriority: number;
  /** `clientConfig` as webhooks have it. */
  readonly service: JsonObject;
  agent: Agent;
  /** The object that it was made from. */
  readonly text: string;
  available: boolean;
  /** What it serves, as its APIResourceList says; of the last time that it answered. */
  resources: readonly JsonObject[];
  /** Where its own document of OpenAPI v3 is; undefined for one that has none. */
  documentUrl?: string | undefined;
}

/** @returns undefined for one whose version is served here */
export function extensionOf(object: KubeObject, client: KeyPair | undefined): Extension | undefined {
  const spec = valueAt(object, "spec");
  const service = valueAt(spec, "service");
  if (!isObject(service)) return undefined;
  const [name, namespace] = [textAt(service, "name"), textAt(service, "namespace")];
  return {
    name: object.metadata.name ?? "",
    group: textAt(spec, "group"),
    version: textAt(spec, "version"),
    groupPriority: Number(valueAt(spec, "groupPriorityMinimum") ?? 0),
    versionPriority: Number(valueAt(spec, "versionPriority") ?? 0),
    service: { service: { name, namespace, port: Number(valueAt(service, "port") ?? 443) } },
    agent: agentOf(spec, client),
    text: JSON.stringify(spec),
    available: false,
    resources: [],
  };
}

function agentOf(spec: Json | undefined, client: KeyPair | undefined): Agent {
  const service = valueAt(spec, "service");
  const serverName = `${textAt(service, "name")}.${textAt(service, "namespace")}.svc`;
  const bundle = textAt(spec, "caBundle");
  return new Agent({
    keepAlive: true,
    maxSockets: 256,
    ...(bundle === "" ? {} : { ca: Buffer.from(bundle, "base64").toString() }),
    ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    rejectUnauthorized: valueAt(spec, "insecureSkipTLSVerify") !== true,
  });
}

/** Connections from now on have another certificate; of those that are there each ends with what is asked on it. */
export function renewClient(extension: Extension, client: KeyPair): void {
  const before = extension.agent;
  extension.agent = agentOf(JSON.parse(extension.text) as Json, client);
  before.maxFreeSockets = 0;
  for (const socket of Object.values(before.freeSockets).flat()) socket?.destroy();
}
