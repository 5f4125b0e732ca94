import { formatQuantity, type JsonObject } from "@boxship/api";
import { errorMessage, FailedPrecondition } from "@boxship/base";
import type { ControllerClient } from "../contract.ts";
import { isReady } from "../shared/pods.ts";
import { selectorInGo } from "../shared/selector-text.ts";
import type { ServedKinds } from "../shared/served-kinds.ts";
import type { MetricIdentifier, MetricSpec, MetricTarget, ObjectReference, Scale } from "../types/autoscaler.ts";
import type { Pod } from "../types/pod.ts";
import { type PodMetrics, thousandths } from "./pod-groups.ts";
import { externalMetric, objectMetric, podMetrics, resourceMetrics } from "./read-metrics.ts";
import {
  type Count,
  countByAverage,
  countByRatio,
  countByShare,
  countByUtilization,
  isTolerated,
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

/** Why a metric says nothing. Its message is what the condition and the event of this metric say. */
export class MetricFailure extends FailedPrecondition {
  readonly reason: string;
  /** As the event about all metrics tells it. */
  readonly whole: string;

  constructor(reason: string, cause: unknown, what?: string) {
    super(errorMessage(cause), { cause });
    this.reason = reason;
    this.whole = what === undefined ? this.message : `failed to get ${what} metric value: ${this.message}`;
  }
}

/** @throws MetricFailure */
export async function countByMetric(metric: MetricSpec, context: CountContext): Promise<Proposal> {
  const { resource, containerResource, pods, object, external } = metric;
  const attempt = async (reason: string, what: string, act: () => Promise<Proposal>): Promise<Proposal> => {
    try {
      return await act();
    } catch (cause) {
      throw new MetricFailure(reason, cause, what);
    }
  };
  if (metric.type === "Resource" && resource !== undefined)
    return await attempt("FailedGetResourceMetric", `${resource.name} resource`, () => byResource(resource, context));
  if (metric.type === "ContainerResource" && containerResource !== undefined)
    return await attempt("FailedGetContainerResourceMetric", `${containerResource.container} container`, () =>
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
  throw new MetricFailure("InvalidMetricSourceType", new Error(`unknown metric source type "${metric.type}"`));
}

/** Puts what was tried before what went wrong. */
async function saying<T>(words: (why: string) => string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw new FailedPrecondition(words(errorMessage(cause)), { cause });
  }
}

/** @throws FailedPrecondition for what is none above nothing */
function amount(quantity: string | undefined): bigint {
  const asked = thousandths(quantity ?? "") ?? 0n;
  if (asked <= 0n) throw new FailedPrecondition(`invalid metric source: a target of ${quantity} is none`);
  return asked;
}

const shown = (value: bigint, resource = ""): string =>
  formatQuantity({ nano: value * 1_000_000n, format: resource === "memory" ? "BinarySI" : "DecimalSI" });

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
  const selector = scale.status?.selector ?? "";
  const ask = async () =>
    countingOf(
      context,
      await saying(
        (why) => `unable to get metrics for resource ${name}: ${why}`,
        () => resourceMetrics(client, { namespace, selector, resource: name, ...of }),
      ),
    );
  const statusOf = ({ average, utilization }: Count): JsonObject => {
    const current = {
      averageValue: shown(average, name),
      ...(utilization === undefined ? {} : { averageUtilization: utilization }),
    };
    return container === undefined
      ? { type: "Resource", resource: { name, current } }
      : { type: "ContainerResource", containerResource: { container, name, current } };
  };
  const { averageValue, averageUtilization } = target;
  if (averageValue !== undefined) {
    const count = await saying(
      (why) => `failed to get ${name} usage: ${why}`,
      async () => countByAverage(amount(averageValue), await ask(), name),
    );
    return { replicas: count.replicas, metric: `${name} resource`, status: statusOf(count) };
  }
  if (averageUtilization === undefined) {
    throw new FailedPrecondition(
      "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set",
    );
  }
  const count = await saying(
    (why) => `failed to get ${name} utilization: ${why}`,
    async () => countByUtilization(averageUtilization, name, await ask(), container),
  );
  const what = container === undefined ? "resource" : "container resource";
  const metric = `${name} ${what} utilization (percentage of request)`;
  return { replicas: count.replicas, metric, status: statusOf(count) };
}

async function byPods(
  { metric, target }: { readonly metric: MetricIdentifier; readonly target: MetricTarget },
  context: CountContext,
): Promise<Proposal> {
  const { client, namespace, scale } = context;
  const metrics = await saying(
    (why) => `unable to get metric ${metric.name}: ${why}`,
    () => podMetrics(client, namespace, scale.status?.selector ?? "", metric),
  );
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
  const { namespace } = context;
  const { kind, name } = describedObject;
  const isAverage = target.averageValue !== undefined;
  const value = await saying(
    (why) =>
      `${isAverage ? `failed to get ${metric.name} object metric: ` : ""}unable to get metric ${metric.name}: ${why} on ${kind} ${namespace}/${name}`,
    () => askAbout(describedObject, metric, context),
  );
  const { replicas, current } = shared(value, target, context);
  const status = { type: "Object", object: { metric, current, describedObject } };
  // Upstream names it so, too.
  const external = `external metric ${metric.name}(${selectorInGo(metric.selector)})`;
  return { replicas, metric: isAverage ? external : `${kind} metric ${metric.name}`, status };
}

async function askAbout(object: ObjectReference, metric: MetricIdentifier, context: CountContext): Promise<bigint> {
  const { client, kinds, namespace } = context;
  const { apiVersion = "v1", kind: kindName, name } = object;
  const kind = kinds.findInGroup(apiVersion, kindName);
  if (kind === undefined) throw new FailedPrecondition(`no matches for kind "${kindName}" in version "${apiVersion}"`);
  const resource = kind.group === "" ? kind.resource : `${kind.resource}.${kind.group}`;
  return await objectMetric(client, { resource, name, namespace: kind.namespaced ? namespace : "" }, metric);
}

async function byExternal(
  { metric, target }: { readonly metric: MetricIdentifier; readonly target: MetricTarget },
  context: CountContext,
): Promise<Proposal> {
  const { client, namespace } = context;
  const { name } = metric;
  const selector = selectorInGo(metric.selector);
  const what = target.averageValue === undefined ? `external metric ${name}` : `${name} external metric`;
  const { replicas, current } = await saying(
    (why) => `failed to get ${what}: ${why}`,
    async () => {
      const value = await saying(
        (why) => `unable to get external metric ${namespace}/${name}/${selector}: ${why}`,
        () => externalMetric(client, namespace, metric),
      );
      return shared(value, target, context);
    },
  );
  return {
    replicas,
    metric: `external metric ${name}(${selector})`,
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
  const wanted = scale.spec?.replicas ?? 0;
  if (wanted !== 0 && !isTolerated(ratio, tolerance) && pods.length === 0) {
    throw new FailedPrecondition(
      "unable to calculate ready pods: no pods returned by selector while calculating replica count",
    );
  }
  const ready = pods.filter((pod) => pod.status?.phase === "Running" && isReady(pod)).length;
  return { replicas: countByRatio(ratio, wanted, ready, tolerance), current: { value: shown(value) } };
}
