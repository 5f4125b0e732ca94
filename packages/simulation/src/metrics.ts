import { type Json, type KubeObject, matchesLabels, parseLabelSelector, timestamp } from "@boxship/api";
import { parseDuration } from "@boxship/base";
import { isReady } from "./check-step.ts";
import type { Observer } from "./observer.ts";

/**
 * Cores that all pods of one controller use together, each as much as the others: `1.5`, or `0.5,10m:2` for more from a time
 * on.
 */
export const DEMAND = "simulate.boxship/demand";

const PATH = /^\/apis\/metrics\.k8s\.io\/v1beta1\/namespaces\/([^/]+)\/pods\?labelSelector=(.*)$/;

/** @param elapsed milliseconds from the start */
export function demandOf({ metadata }: KubeObject, elapsed: number): number | undefined {
  let found: number | undefined;
  for (const part of metadata.annotations?.[DEMAND]?.split(",") ?? []) {
    const [first = "", second] = part.split(":");
    if (second === undefined) found ??= Number(first);
    else if (parseDuration(first) / 1e6 <= elapsed) found = Number(second);
  }
  return found;
}

/** What `metrics.k8s.io` would tell of simulated pods; undefined for other paths. */
export function metricsAt(path: string, observer: Observer, now: number, elapsed: number): Json | undefined {
  const [, namespace = "", selector = ""] = PATH.exec(path) ?? [];
  if (namespace === "") return undefined;
  const wanted = parseLabelSelector(decodeURIComponent(selector));
  const pods = [...observer.pods()].filter(
    (pod) =>
      pod.metadata.namespace === decodeURIComponent(namespace) &&
      matchesLabels(wanted, pod.metadata.labels) &&
      isReady(pod) &&
      demandOf(pod, elapsed) !== undefined,
  );
  const items = pods.map((pod) => {
    const nano = Math.round(((demandOf(pod, elapsed) ?? 0) / pods.length) * 1e9);
    return {
      metadata: { name: pod.metadata.name ?? "", namespace },
      timestamp: timestamp(now),
      window: "15s",
      containers: [{ name: "main", usage: { cpu: `${nano}n`, memory: "10Mi" } }],
    };
  });
  return { kind: "PodMetricsList", apiVersion: "metrics.k8s.io/v1beta1", metadata: {}, items };
}
