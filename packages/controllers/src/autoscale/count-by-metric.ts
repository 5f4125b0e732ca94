import { formatQuantity, type JsonObject, parseQuantity } from "@boxship/api";
import { errorMessage, FailedPrecondition } from "@boxship/base";
import type { ControllerClient } from "../contract.ts";
import { isReady } from "../shared/pods.ts";
import { selectorText } from "../shared/selector-text.ts";
import type { ServedKinds } from "../shared/served-kinds.ts";
import type { MetricIdentifier, MetricSpec, MetricTarget, ObjectReference, Scale } from "../types/autoscaler.ts";
import type { Pod } from "../types/pod.ts";
import type { PodMetrics } from "./pod-groups.ts";
import { externalMetric, objectMetric, podMetrics, resourceMetrics } from "./read-metrics.ts";
import {
  type Count,
  countByAverage,
  countByRatio,
  countByShare,
  countByUtilization,
  type Tolerance,
} from "./replica-counts.ts";

export interface CountContext {
  readonly client: ControllerClient;
  readonly kinds: ServedKinds;
  readonly namespace: string;
  readonly scale: Scale;
  /** Those of the scale's selector. */
  readonly pods: readonly Pod[];
  readonly tolerance: Tolerance;
  readonly now: number;
}

/** What one metric asks for. */
export interface Proposal {
  readonly replicas: number;
  /** As reasons and conditions name it. */
  readonly metric: string;
  /** `autoscaling/v2.MetricStatus`. */
  readonly status: JsonObject;
}

/** Why a metric says nothing. */
export class MetricFailure extends FailedPrecondition {
  readonly reason: string;

  constructor(reason: string, what: string, cause: unknown) {
    super(`failed to get ${what} metric value: ${errorMessage(cause)}`, { cause });
    this.reason = reason;
  }
}

/** @throws MetricFailure */
export async function countByMetric(metric: MetricSpec, context: CountContext): Promise<Proposal> {
  const { resource, containerResource, pods, object, external } = metric;
  const attempt = async (reason: string, what: string, act: () => Promise<Proposal>): Promise<Proposal> => {
    try {
      return await act();
    } catch (cause) {
      throw new MetricFailure(reason, what, cause);
    }
  };
  if (metric.type === "Resource" && resource !== undefined)
    return await attempt("FailedGetResourceMetric", `${resource.name} resource`, () => byResource(resource, context));
  if (metric.type === "ContainerResource" && containerResource !== undefined)
    return await attempt("FailedGetContainerResourceMetric", `${containerResource.name} container`, () =>
      byResource(containerResource, context),
    );
  if (metric.type === "Pods" && pods !== undefined)
    return await attempt("FailedGetPodsMetric", "pods", () => byPods(pods, context));
  if (metric.type === "Object" && object !== undefined)
    return await attempt("FailedGetObjectMetric", "object", () => byObject(object, context));
  if (metric.type === "External" && external !== undefined)
    return await attempt("FailedGetExternalMetric", `${external.metric.name} external`, () =>
      byExternal(external, context),
    );
  throw new MetricFailure("InvalidMetricSourceType", metric.type, new Error("it has no source of its type"));
}

/** @throws FailedPrecondition for what is none above nothing */
function amount(quantity: string | undefined): bigint {
  const { nano = 0n } = parseQuantity(quantity ?? "") ?? {};
  if (nano <= 0n) throw new FailedPrecondition(`invalid metric source: a target of ${quantity} is none`);
  return nano;
}

/** Amounts as upstream writes them: in thousandths. */
const shown = (nano: bigint): string =>
  formatQuantity({ nano: ((nano + 999_999n) / 1_000_000n) * 1_000_000n, format: "DecimalSI" });

const countingOf = ({ scale, pods, tolerance, now }: CountContext, metrics: PodMetrics) => ({
  current: scale.spec?.replicas ?? 0,
  pods,
  metrics,
  tolerance,
  now,
});

async function byResource(
  source: { readonly name: string; readonly container?: string; readonly target: MetricTarget },
  context: CountContext,
): Promise<Proposal> {
  const { name, container, target } = source;
  const { namespace, scale, client } = context;
  const of = container === undefined ? {} : { container };
  const metrics = await resourceMetrics(client, {
    namespace,
    selector: scale.status?.selector ?? "",
    resource: name,
    ...of,
  }).catch((cause: unknown) => {
    const words = `unable to get metrics for resource ${name}: ${errorMessage(cause)}`;
    throw new FailedPrecondition(words, { cause });
  });
  const counting = countingOf(context, metrics);
  const statusOf = ({ average, utilization }: Count): JsonObject => {
    const current = {
      averageValue: shown(average),
      ...(utilization === undefined ? {} : { averageUtilization: utilization }),
    };
    return container === undefined
      ? { type: "Resource", resource: { name, current } }
      : { type: "ContainerResource", containerResource: { container, name, current } };
  };
  if (target.averageValue !== undefined) {
    const count = countByAverage(amount(target.averageValue), counting, name);
    return { replicas: count.replicas, metric: `${name} resource`, status: statusOf(count) };
  }
  if (target.averageUtilization === undefined) {
    throw new FailedPrecondition(
      "invalid resource metric source: neither a utilization target nor a value target was set",
    );
  }
  const count = countByUtilization(target.averageUtilization, name, counting, container);
  const metric = `${name} resource utilization (percentage of request)`;
  return { replicas: count.replicas, metric, status: statusOf(count) };
}

async function byPods(
  { metric, target }: { readonly metric: MetricIdentifier; readonly target: MetricTarget },
  context: CountContext,
): Promise<Proposal> {
  const { client, namespace, scale } = context;
  const metrics = await podMetrics(client, namespace, scale.status?.selector ?? "", metric);
  const { replicas, average } = countByAverage(amount(target.averageValue), countingOf(context, metrics));
  const status = { type: "Pods", pods: { metric, current: { averageValue: shown(average) } } };
  return { replicas, metric: `pods metric ${metric.name}`, status };
}

async function byObject(
  source: {
    readonly describedObject: ObjectReference;
    readonly metric: MetricIdentifier;
    readonly target: MetricTarget;
  },
  context: CountContext,
): Promise<Proposal> {
  const { describedObject, metric, target } = source;
  const { client, kinds, namespace } = context;
  const kind = kinds.find(describedObject.apiVersion ?? "v1", describedObject.kind);
  if (kind === undefined) throw new FailedPrecondition(`no matches for kind "${describedObject.kind}"`);
  const resource = kind.group === "" ? kind.resource : `${kind.resource}.${kind.group}`;
  const about = { resource, name: describedObject.name, namespace: kind.namespaced ? namespace : "" };
  const value = await objectMetric(client, about, metric);
  const { replicas, current } = shared(value, target, context);
  const status = { type: "Object", object: { metric, current, describedObject } };
  return { replicas, metric: `${describedObject.kind} metric ${metric.name}`, status };
}

async function byExternal(
  { metric, target }: { readonly metric: MetricIdentifier; readonly target: MetricTarget },
  context: CountContext,
): Promise<Proposal> {
  const value = await externalMetric(context.client, context.namespace, metric);
  const { replicas, current } = shared(value, target, context);
  const selector = metric.selector === undefined ? "nil" : selectorText(metric.selector);
  return {
    replicas,
    metric: `external metric ${metric.name}(${selector})`,
    status: { type: "External", external: { metric, current } },
  };
}

/** By one number for all pods. */
function shared(
  value: bigint,
  target: MetricTarget,
  { scale, pods, tolerance }: CountContext,
): { readonly replicas: number; readonly current: JsonObject } {
  const there = scale.status?.replicas ?? 0;
  if (target.averageValue !== undefined) {
    const replicas = countByShare(value, amount(target.averageValue), there, tolerance);
    const each = there === 0 ? 0n : (value + BigInt(there) - 1n) / BigInt(there);
    return { replicas, current: { averageValue: shown(each) } };
  }
  const ratio = Number(value) / Number(amount(target.value));
  const ready = pods.filter((pod) => pod.status?.phase === "Running" && isReady(pod)).length;
  const replicas = countByRatio(ratio, scale.spec?.replicas ?? 0, ready, tolerance);
  return { replicas, current: { value: shown(value) } };
}
