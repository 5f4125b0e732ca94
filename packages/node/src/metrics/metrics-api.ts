import type { IncomingMessage, ServerResponse } from "node:http";
import { type JsonObject, type KubeObject, matchesLabels, parseLabelSelector, timestamp } from "@boxship/api";
import { asBoxshipError, NotFound } from "@boxship/base";
import type { Pod } from "../types.ts";
import type { Usage, UsageSample } from "./usage-samples.ts";

export const METRICS_VERSION = "metrics.k8s.io/v1beta1";

export interface MetricsSources {
  readonly sample: () => Promise<UsageSample>;
  readonly nodes: () => Iterable<KubeObject>;
  readonly pods: () => Iterable<Pod>;
}

/**
 * Answers questions of `metrics.k8s.io/v1beta1`, as `kubectl top` and autoscalers ask them: lists and single objects of nodes and
 * pods. Who may ask has been settled before.
 */
export async function answerMetrics(
  request: IncomingMessage,
  response: ServerResponse,
  sources: MetricsSources,
): Promise<void> {
  let status = 200;
  let body: JsonObject;
  try {
    body = await find(new URL(request.url ?? "/", "https://metrics"), sources);
  } catch (error) {
    const { code, message } = asBoxshipError(error);
    status = code === "NotFound" ? 404 : code === "InvalidArgument" ? 400 : 503;
    const reason = { 404: "NotFound", 400: "BadRequest", 503: "ServiceUnavailable" }[status];
    body = {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      reason: reason ?? "",
      code: status,
    };
  }
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

const RESOURCES = [
  { name: "nodes", singularName: "", namespaced: false, kind: "NodeMetrics", verbs: ["get", "list"] },
  { name: "pods", singularName: "", namespaced: true, kind: "PodMetrics", verbs: ["get", "list"] },
];

async function find({ pathname, searchParams }: URL, { sample, nodes, pods }: MetricsSources): Promise<JsonObject> {
  const root = `/apis/${METRICS_VERSION}`;
  if (pathname === root) {
    return { kind: "APIResourceList", apiVersion: "v1", groupVersion: METRICS_VERSION, resources: RESOURCES };
  }
  const words = pathname.startsWith(`${root}/`)
    ? pathname
        .slice(root.length + 1)
        .split("/")
        .map(decodeURIComponent)
    : [];
  const namespace = words[0] === "namespaces" ? words.splice(0, 2)[1] : undefined;
  const [resource, name] = words;
  const selector = parseLabelSelector(searchParams.get("labelSelector") ?? "");
  const fits = ({ metadata }: KubeObject): boolean =>
    matchesLabels(selector, metadata.labels) && (name === undefined || metadata.name === name);
  if (resource === "nodes" && namespace === undefined && words.length <= 2) {
    const taken = await sample();
    return told("Node", name, [...nodes()].filter(fits), (one) => ({
      ...common("Node", one, taken),
      usage: text(taken.node),
    }));
  }
  if (resource === "pods" && words.length <= 2 && (name === undefined || namespace !== undefined)) {
    const taken = await sample();
    const known = [...pods()].filter(
      (pod) =>
        fits(pod) &&
        (namespace === undefined || pod.metadata.namespace === namespace) &&
        taken.containers.has(pod.metadata.uid ?? ""),
    );
    return told("Pod", name, known, (one) => ({
      ...common("Pod", one, taken),
      containers: [...(taken.containers.get(one.metadata.uid ?? "") ?? [])].map(([container, usage]) => ({
        name: container,
        usage: text(usage),
      })),
    }));
  }
  throw new NotFound(`there is nothing at ${pathname}`);
}

function told(
  kind: string,
  name: string | undefined,
  found: readonly KubeObject[],
  metricsOf: (object: KubeObject) => JsonObject,
): JsonObject {
  const items = found.map(metricsOf);
  if (name === undefined) return { kind: `${kind}MetricsList`, apiVersion: METRICS_VERSION, metadata: {}, items };
  if (items[0] === undefined) throw new NotFound(`${kind.toLowerCase()}metrics.metrics.k8s.io "${name}" not found`);
  return items[0];
}

function common(kind: string, { metadata }: KubeObject, { at, window }: UsageSample): JsonObject {
  const { name = "", namespace, labels } = metadata;
  const time = timestamp(at);
  return {
    kind: `${kind}Metrics`,
    apiVersion: METRICS_VERSION,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      creationTimestamp: time,
      ...(labels === undefined ? {} : { labels: { ...labels } }),
    },
    timestamp: time,
    window: `${window / 1000}s`,
  };
}

const text = ({ cpu, memory }: Usage): JsonObject => ({
  cpu: `${Math.round(cpu * 1e9)}n`,
  memory: `${Math.round(memory / 1024)}Ki`,
});
