import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isObject, type Json, type JsonObject, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { DeadlineExceeded, errorMessage, Unavailable } from "@boxship/base";
import type { NodeInfo } from "../cluster/node-info.ts";
import type { PodInfo } from "../pod/pod-info.ts";
import { amountOf } from "../pod/resources.ts";
import type { Extender, ExtenderFilter, VictimsOn } from "./extender.ts";

export interface HttpExtenderOptions {
  readonly urlPrefix: string;
  readonly filterVerb?: string;
  readonly prioritizeVerb?: string;
  readonly preemptVerb?: string;
  readonly bindVerb?: string;
  /** Of its scores. @default 1 */
  readonly weight?: number;
  /** @default 5 s */
  readonly timeoutMs?: number;
  /** Knows the nodes itself and is told names only. @default false */
  readonly knowsNodes?: boolean;
  /** @default false */
  readonly isIgnorable?: boolean;
  /** Only pods that ask for one of these. @default all */
  readonly managedResources?: readonly string[];
  readonly tls?: ExtenderTls;
}

/** PEM throughout. */
export interface ExtenderTls {
  readonly insecure?: boolean;
  readonly serverName?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly authority?: string;
}

/** Extenders give 0 to 10, plugins 0 to 100. */
const SCALE = 10;
const MOST_ANSWER = 64 * 1024 * 1024;

export function httpExtender(options: HttpExtenderOptions): Extender {
  const { urlPrefix, filterVerb, prioritizeVerb, preemptVerb, bindVerb, isIgnorable = false } = options;
  const managed = options.managedResources ?? [];
  return {
    name: urlPrefix,
    isIgnorable,
    isInterested: ({ requests: { asked } }) =>
      managed.length === 0 || managed.some((name) => amountOf(asked, name) > 0),
    ...(filterVerb === undefined ? {} : { filter: (pod, nodes) => filter(options, filterVerb, pod, nodes) }),
    ...(prioritizeVerb === undefined
      ? {}
      : { prioritize: (pod, nodes) => prioritize(options, prioritizeVerb, pod, nodes) }),
    ...(preemptVerb === undefined ? {} : { preempt: (pod, victims) => preempt(options, preemptVerb, pod, victims) }),
    ...(bindVerb === undefined ? {} : { bind: (pod, node) => bind(options, bindVerb, pod, node) }),
  };
}

function argsFor(
  { knowsNodes = false }: HttpExtenderOptions,
  { pod }: PodInfo,
  nodes: readonly NodeInfo[],
): JsonObject {
  if (knowsNodes) return { pod, nodenames: nodes.map(({ name }) => name) };
  return { pod, nodes: { apiVersion: "v1", kind: "NodeList", metadata: {}, items: nodes.map(({ node }) => node) } };
}

/** Go's decoder does not mind how names are written, and its encoder has not always written them in the same way. */
function fieldOf(value: Json | undefined, name: string): Json | undefined {
  if (!isObject(value)) return undefined;
  const found = Object.keys(value).find((key) => key.toLowerCase() === name.toLowerCase());
  return found === undefined ? undefined : (value[found] ?? undefined);
}

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : JSON.stringify(value ?? ""));

const textsOf = (value: Json | undefined): ReadonlyMap<string, string> =>
  new Map(isObject(value) ? Object.entries(value).map(([name, text]) => [name, textOf(text)]) : []);

async function filter(
  options: HttpExtenderOptions,
  verb: string,
  pod: PodInfo,
  nodes: readonly NodeInfo[],
): Promise<ExtenderFilter> {
  const answer = await call(options, verb, argsFor(options, pod, nodes));
  const error = fieldOf(answer, "error");
  if (typeof error === "string" && error !== "") throw new Unavailable(error);
  const named = fieldOf(answer, "nodeNames");
  const names = Array.isArray(named)
    ? named.map(textOf)
    : listAt({ nodes: fieldOf(answer, "nodes") ?? {} }, "nodes", "items").map((node) =>
        textAt(node, "metadata", "name"),
      );
  return {
    names: new Set(names),
    failed: textsOf(fieldOf(answer, "failedNodes")),
    unresolvable: textsOf(fieldOf(answer, "failedAndUnresolvableNodes")),
  };
}

async function prioritize(
  options: HttpExtenderOptions,
  verb: string,
  pod: PodInfo,
  nodes: readonly NodeInfo[],
): Promise<ReadonlyMap<string, number>> {
  const answer = await call(options, verb, argsFor(options, pod, nodes));
  if (!Array.isArray(answer)) throw new Unavailable("its scores are no list");
  const { weight = 1 } = options;
  return new Map(
    answer.map((one) => [textOf(fieldOf(one, "host")), Number(fieldOf(one, "score") ?? 0) * weight * SCALE]),
  );
}

async function preempt(
  options: HttpExtenderOptions,
  verb: string,
  { pod }: PodInfo,
  victims: readonly VictimsOn[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { knowsNodes = false } = options;
  const meta = victims.map(({ node, pods, violations }) => [
    node,
    { pods: pods.map(({ uid }) => ({ uid })), numPDBViolations: violations },
  ]);
  const full = victims.map(({ node, pods, violations }) => [
    node,
    { pods: pods.map((one) => one.pod), numPDBViolations: violations },
  ]);
  const args: JsonObject = {
    pod,
    ...(knowsNodes
      ? { nodeNameToMetaVictims: Object.fromEntries(meta) as JsonObject }
      : { nodeNameToVictims: Object.fromEntries(full) as JsonObject }),
  };
  const kept = fieldOf(await call(options, verb, args), "nodeNameToMetaVictims");
  return new Map(
    Object.entries(isObject(kept) ? kept : {}).map(([node, value]) => [
      node,
      listAt({ pods: fieldOf(value, "pods") ?? [] }, "pods").map((one) => textOf(fieldOf(one, "uid"))),
    ]),
  );
}

async function bind(options: HttpExtenderOptions, verb: string, pod: KubeObject, nodeName: string): Promise<void> {
  const { name = "", namespace = "", uid = "" } = pod.metadata;
  const answer = await call(options, verb, { podName: name, podNamespace: namespace, podUID: uid, node: nodeName });
  const error = valueAt({ error: fieldOf(answer, "error") ?? "" }, "error");
  if (typeof error === "string" && error !== "") throw new Unavailable(error);
}

/** @throws Unavailable, DeadlineExceeded naming the extender */
async function call(options: HttpExtenderOptions, verb: string, body: Json): Promise<Json> {
  const { urlPrefix, timeoutMs = 5000, tls = {} } = options;
  const url = new URL(`${urlPrefix.replace(/\/$/, "")}/${verb.replace(/^\//, "")}`);
  const { insecure = false, serverName, certificate, key, authority } = tls;
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  const { promise, resolve, reject } = Promise.withResolvers<Json>();
  const sent = request(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    signal: AbortSignal.timeout(timeoutMs),
    rejectUnauthorized: !insecure,
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    ...(authority === undefined ? {} : { ca: authority }),
  });
  sent.on("error", reject);
  sent.on("response", (response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MOST_ANSWER) response.destroy(new Error("its answer is too long"));
      else chunks.push(chunk);
    });
    response.on("error", reject);
    response.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      try {
        if (response.statusCode !== 200) throw new Error(`it answers with status ${response.statusCode}`);
        resolve(text === "" ? null : (JSON.parse(text) as Json));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
  sent.end(JSON.stringify(body));
  try {
    return await promise;
  } catch (cause) {
    const isLate = cause instanceof Error && (cause.name === "TimeoutError" || cause.name === "AbortError");
    if (isLate) throw new DeadlineExceeded(`extender ${urlPrefix} does not answer within ${timeoutMs} ms`, { cause });
    throw new Unavailable(`extender ${urlPrefix}: ${errorMessage(cause)}`, { cause });
  }
}
