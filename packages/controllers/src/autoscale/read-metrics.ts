import { type Json, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage, FailedPrecondition, NotFound, parseDuration } from "@boxship/base";
import type { ControllerClient } from "../contract.ts";
import { labelQuery } from "../shared/selector-text.ts";
import type { MetricIdentifier } from "../types/autoscaler.ts";
import { type PodMetric, type PodMetrics, thousandths } from "./pod-groups.ts";

/** Numbers of `metrics.k8s.io`, `custom.metrics.k8s.io` and `external.metrics.k8s.io`: in thousandths. */

const RESOURCES = "/apis/metrics.k8s.io/v1beta1";
const CUSTOM = "custom.metrics.k8s.io";
const EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1";
/** Of custom metrics that do not say how long they were measured. */
const CUSTOM_WINDOW_MS = 60_000;

const segment = encodeURIComponent;
const amount = (value: Json | undefined): bigint | undefined => thousandths(textAt({ value: value ?? "" }, "value"));
const timeOf = (item: Json): number => Date.parse(textAt(item, "timestamp"));

export interface ResourceQuestion {
  readonly namespace: string;
  /** As the scale gives it. */
  readonly selector: string;
  /** `cpu`, `memory`, … */
  readonly resource: string;
  /** @default all of the pod's */
  readonly container?: string;
}

/** @throws FailedPrecondition where nobody measures */
export async function resourceMetrics(client: ControllerClient, question: ResourceQuestion): Promise<PodMetrics> {
  const { namespace, selector, resource, container } = question;
  const path = `${RESOURCES}/namespaces/${segment(namespace)}/pods?labelSelector=${segment(selector)}`;
  const items = listAt(await served(client, path, "resource metrics API", "pods.metrics.k8s.io"), "items");
  if (items.length === 0) throw new FailedPrecondition("no metrics returned from resource metrics API");
  const found = new Map<string, PodMetric>();
  for (const item of items) {
    const name = textAt(item, "metadata", "name");
    const containers = listAt(item, "containers").filter(
      (one) => container === undefined || textAt(one, "name") === container,
    );
    const uses = containers.map((one) => amount(valueAt(one, "usage", resource)));
    if (uses.length === 0 || uses.includes(undefined)) continue;
    const value = uses.reduce<bigint>((total, one) => total + (one ?? 0n), 0n);
    found.set(name, { value, at: timeOf(item), windowMs: millisecondsOf(textAt(item, "window")) });
  }
  return found;
}

const millisecondsOf = (duration: string): number => (duration === "" ? 0 : parseDuration(duration) / 1e6);

export interface Described {
  /** `ingresses.networking.k8s.io`. */
  readonly resource: string;
  readonly name: string;
  /** Empty for what is in none. */
  readonly namespace: string;
}

/** A number of one object. */
export async function objectMetric(
  client: ControllerClient,
  about: Described,
  metric: MetricIdentifier,
): Promise<bigint> {
  const { resource, name, namespace } = about;
  const place = namespace === "" ? "" : `/namespaces/${segment(namespace)}`;
  const object =
    resource === "namespaces" ? `/namespaces/${segment(name)}/metrics` : `${place}/${resource}/${segment(name)}`;
  const query = labelQuery({ metricLabelSelector: metric.selector });
  const [item] = await custom(client, `${object}/${segment(metric.name)}${query}`);
  const value = item === undefined ? undefined : amount(valueAt(item, "value"));
  if (value === undefined) throw new FailedPrecondition("no metrics returned from custom metrics API");
  return value;
}

/** A number of each of the pods. */
export async function podMetrics(
  client: ControllerClient,
  namespace: string,
  selector: string,
  metric: MetricIdentifier,
): Promise<PodMetrics> {
  const query = labelQuery({ labelSelector: selector, metricLabelSelector: metric.selector });
  const items = await custom(client, `/namespaces/${segment(namespace)}/pods/*/${segment(metric.name)}${query}`);
  const found = new Map<string, PodMetric>();
  for (const item of items) {
    const value = amount(valueAt(item, "value"));
    const windowMs = Number(valueAt(item, "windowSeconds") ?? CUSTOM_WINDOW_MS / 1000) * 1000;
    if (value !== undefined) found.set(textAt(item, "describedObject", "name"), { value, at: timeOf(item), windowMs });
  }
  if (found.size === 0) throw new FailedPrecondition("no metrics returned from custom metrics API");
  return found;
}

async function custom(client: ControllerClient, path: string): Promise<readonly Json[]> {
  const group = await served(client, `/apis/${CUSTOM}`, "custom metrics API", CUSTOM);
  const version = textAt(group, "preferredVersion", "version");
  const whole = `/apis/${CUSTOM}/${version}${path}`;
  return listAt(await served(client, whole, "custom metrics API", CUSTOM), "items");
}

/** The sum of all series of a number from somewhere else. */
export async function externalMetric(
  client: ControllerClient,
  namespace: string,
  metric: MetricIdentifier,
): Promise<bigint> {
  const query = labelQuery({ labelSelector: metric.selector });
  const path = `${EXTERNAL}/namespaces/${segment(namespace)}/${segment(metric.name)}${query}`;
  const items = listAt(
    await served(client, path, "external metrics API", `${metric.name}.external.metrics.k8s.io`),
    "items",
  );
  if (items.length === 0) throw new FailedPrecondition("no metrics returned from external metrics API");
  return items.reduce<bigint>((total, item) => total + (amount(valueAt(item, "value")) ?? 0n), 0n);
}

/** Of a status without a message. */
const SAYS_NOTHING = /^the server answered \d+(?::|$)/;

/** @throws FailedPrecondition instead of NotFound, which would be about the object that is looked at */
async function served(client: ControllerClient, path: string, whose: string, what: string): Promise<Json> {
  try {
    return await client.getRaw(path);
  } catch (cause) {
    const unknown = `the server could not find the requested resource (get ${what})`;
    const words = cause instanceof NotFound && SAYS_NOTHING.test(cause.message) ? unknown : errorMessage(cause);
    throw new FailedPrecondition(`unable to fetch metrics from ${whose}: ${words}`, { cause });
  }
}
