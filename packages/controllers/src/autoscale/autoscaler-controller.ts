import {
  deepEqual,
  type JsonObject,
  type LabelSelector,
  matchesLabels,
  parseApiVersion,
  parseLabelSelector,
  timestamp,
} from "@boxship/api";
import { Conflict, errorMessage, FailedPrecondition } from "@boxship/base";
import { keyOf, type ObjectRef, objectPath } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { withCondition } from "../shared/conditions.ts";
import { AUTOSCALERS, PODS, refOf } from "../shared/resources.ts";
import { ServedKinds } from "../shared/served-kinds.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Autoscaler, AutoscalerStatus, Scale } from "../types/autoscaler.ts";
import type { Condition, Pod } from "../types/pod.ts";
import { countByMetric, MetricFailure, type Proposal } from "./count-by-metric.ts";
import { limitRate, type Memory, rememberChange, stabilize } from "./limit-rate.ts";

/** Between two looks at the numbers. */
const LOOK_MS = 15_000;
const TOLERANCE = 0.1;
/** To write a scale. */
const MOST_TRIES = 5;

/** Changes how many pods a workload has by what they use. */
export const autoscalerController: ControllerDefinition = {
  name: "horizontal-pod-autoscaler",
  open: (context) => new AutoscalerController(context).reconcile,
};

/** A workload that can be scaled. */
interface Target {
  readonly ref: ObjectRef;
  readonly scale: Scale;
}

/** What a look comes to. */
interface Decision {
  readonly desired: number;
  /** Why it is changed, if it is. */
  readonly reason: string;
  /** One of each metric, in their order; none where they were not asked. */
  readonly metrics: readonly JsonObject[];
  /** What went wrong on the way. */
  readonly failure?: Error;
}

class AutoscalerController {
  readonly #context: ControllerContext;
  readonly #kinds: ServedKinds;
  readonly #memories = new Map<string, Memory>();
  /** What the targets of autoscalers select, by key. */
  readonly #selectors = new Map<string, LabelSelector>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#kinds = new ServedKinds(context.informers);
    const { informers, queue } = context;
    informers.of(PODS);
    informers.of<Autoscaler>(AUTOSCALERS).handle({
      added: (one) => queue.add(keyOf(one)),
      updated: (one, before) => {
        if (!deepEqual(one.spec, before.spec)) queue.add(keyOf(one));
      },
      deleted: (one) => {
        this.#memories.delete(keyOf(one));
        this.#selectors.delete(keyOf(one));
      },
    });
  }

  readonly reconcile: Reconcile = async (key) => {
    const { informers, queue } = this.#context;
    const autoscaler = informers.of<Autoscaler>(AUTOSCALERS).get(key);
    if (autoscaler?.spec === undefined) return;
    queue.addAfter(key, LOOK_MS);
    const look = new Look(this.#context, this.#kinds, this.#selectors, autoscaler);
    try {
      await look.run(this.#memoryOf(key));
    } catch (error) {
      // Told in a condition and an event; the next look comes as if nothing had happened.
      if (!(error instanceof MetricFailure)) throw error;
    }
  };

  #memoryOf(key: string): Memory {
    let memory = this.#memories.get(key);
    if (memory === undefined) {
      memory = { recommendations: [], ups: [], downs: [] };
      this.#memories.set(key, memory);
    }
    return memory;
  }
}

/** One look at one autoscaler: its conditions are gathered on the way, and written once. */
class Look {
  readonly #context: ControllerContext;
  readonly #kinds: ServedKinds;
  readonly #selectors: Map<string, LabelSelector>;
  readonly #autoscaler: Autoscaler;
  readonly #now: number;
  #conditions: Condition[];

  constructor(
    context: ControllerContext,
    kinds: ServedKinds,
    selectors: Map<string, LabelSelector>,
    autoscaler: Autoscaler,
  ) {
    this.#context = context;
    this.#kinds = kinds;
    this.#selectors = selectors;
    this.#autoscaler = autoscaler;
    this.#now = context.clock.now();
    this.#conditions = [...(autoscaler.status?.conditions ?? [])];
  }

  async run(memory: Memory): Promise<void> {
    const target = await this.#target();
    if (target === undefined) return await this.#write({});
    const current = target.scale.spec?.replicas ?? 0;
    if (memory.recommendations.length === 0) memory.recommendations.push({ at: this.#now, replicas: current });
    const decided = await this.#decide(target, current, memory);
    const { desired, reason, failure } = decided;
    const metrics = decided.metrics.length === 0 ? null : [...decided.metrics];
    const isChanged = failure === undefined && desired !== current;
    if (isChanged) await this.#rescale(target, { current, desired, reason, metrics }, memory);
    await this.#write({
      currentReplicas: current,
      desiredReplicas: desired,
      currentMetrics: metrics,
      ...(isChanged ? { lastScaleTime: timestamp(this.#now) } : {}),
    });
    if (failure !== undefined) throw failure;
  }

  #condition(type: string, status: "True" | "False", reason: string, message: string): void {
    const next = { type, status, reason, message, lastTransitionTime: timestamp(this.#now) };
    this.#conditions = withCondition(this.#conditions, next);
  }

  #warn(reason: string, message: string): void {
    this.#context.events.record(this.#autoscaler, "Warning", reason, message);
  }

  async #target(): Promise<Target | undefined> {
    const { namespace = "" } = this.#autoscaler.metadata;
    const { apiVersion = "v1", kind: kindName = "", name = "" } = this.#autoscaler.spec?.scaleTargetRef ?? {};
    try {
      const kind = this.#kinds.findInGroup(apiVersion, kindName);
      if (kind === undefined) {
        const { group = "" } = parseApiVersion(apiVersion) ?? {};
        throw new FailedPrecondition(`no matches for kind "${kindName}" in group "${group}"`);
      }
      const { group, version, resource } = kind;
      const ref = { group, version, resource, name, namespace };
      const scale = (await this.#context.client.getRaw(objectPath(ref, "scale"))) as unknown as Scale;
      const words = "the HPA controller was able to get the target's current scale";
      this.#condition("AbleToScale", "True", "SucceededGetScale", words);
      return { ref, scale };
    } catch (error) {
      this.#warn("FailedGetScale", errorMessage(error));
      const words = `the HPA controller was unable to get the target's current scale: ${errorMessage(error)}`;
      this.#condition("AbleToScale", "False", "FailedGetScale", words);
      return undefined;
    }
  }

  async #decide({ scale }: Target, current: number, memory: Memory): Promise<Decision> {
    const { minReplicas: min = 1, maxReplicas: max = 0, behavior } = this.#autoscaler.spec ?? {};
    const metrics: readonly JsonObject[] = [];
    if (current === 0 && min !== 0) {
      const words = "scaling is disabled since the replica count of the target is zero";
      this.#condition("ScalingActive", "False", "ScalingDisabled", words);
      return { desired: 0, reason: "", metrics };
    }
    if (current > max) {
      return { desired: max, reason: "Current number of replicas above Spec.MaxReplicas", metrics };
    }
    if (current < min) {
      return { desired: min, reason: "Current number of replicas below Spec.MinReplicas", metrics };
    }
    const counted = await this.#count(scale, current);
    if ("failure" in counted) {
      // What was known before of the metrics stays; nothing is changed.
      const { desiredReplicas = 0 } = this.#autoscaler.status ?? {};
      return { desired: desiredReplicas, reason: "", metrics: counted.metrics, failure: counted.failure };
    }
    const wished = counted.best.replicas;
    const lower = wished < current ? "All metrics below target" : "";
    const reason = wished > current ? `${counted.best.metric} above target` : lower;
    const wish = { current, desired: wished, min, max, now: this.#now };
    const steady = stabilize(wish, memory, behavior);
    this.#condition("AbleToScale", "True", steady.reason, steady.message);
    const limited = limitRate({ ...wish, desired: steady.replicas }, memory, behavior);
    const isLimited = limited.replicas !== steady.replicas;
    this.#condition("ScalingLimited", isLimited ? "True" : "False", limited.reason, limited.message);
    return { desired: limited.replicas, reason, metrics: counted.metrics };
  }

  /** What the metrics ask for: the most of them. One that fails counts only against having fewer. */
  async #count(scale: Scale, current: number) {
    const { metrics = [], behavior } = this.#autoscaler.spec ?? {};
    const pods = this.#pods(scale);
    if ("reason" in pods) return { failure: pods, metrics: [] };
    const tolerance = {
      up: Number(behavior?.scaleUp?.tolerance ?? TOLERANCE),
      down: Number(behavior?.scaleDown?.tolerance ?? TOLERANCE),
    };
    const { client } = this.#context;
    const { namespace = "" } = this.#autoscaler.metadata;
    const context = { client, kinds: this.#kinds, namespace, scale, pods, tolerance, now: this.#now };
    const [proposals, failures]: [Proposal[], MetricFailure[]] = [[], []];
    const statuses: JsonObject[] = [];
    for (const metric of metrics) {
      try {
        const proposal = await countByMetric(metric, context);
        proposals.push(proposal);
        statuses.push(proposal.status);
      } catch (error) {
        if (!(error instanceof MetricFailure)) throw error;
        failures.push(error);
        this.#warn(error.reason, error.message);
        // Who shows them goes by their places.
        statuses.push({ type: "" });
      }
    }
    const [failure] = failures;
    const best = proposals.reduce<Proposal | undefined>(
      (most, one) => (most === undefined || one.replicas > most.replicas ? one : most),
      undefined,
    );
    if (best === undefined || (failure !== undefined && best.replicas < current)) {
      const first = failure ?? new MetricFailure("InvalidMetricSourceType", new Error("there are no metrics"));
      const words = `the HPA was unable to compute the replica count: ${first.message}`;
      this.#condition("ScalingActive", "False", first.reason, words);
      const count = `invalid metrics (${failures.length} invalid out of ${metrics.length}), first error is: ${first.whole}`;
      this.#warn("FailedComputeMetricsReplicas", count);
      return { failure: first, metrics: statuses };
    }
    const words = `the HPA was able to successfully calculate a replica count from ${best.metric}`;
    this.#condition("ScalingActive", "True", "ValidMetricFound", words);
    return { best, metrics: statuses };
  }

  #pods({ status }: Scale): readonly Pod[] | MetricFailure {
    const { namespace = "" } = this.#autoscaler.metadata;
    const text = status?.selector ?? "";
    if (text === "") {
      const words = "the HPA target's scale is missing a selector";
      return this.#noPods("SelectorRequired", "selector is required", { reason: "InvalidSelector", words });
    }
    let selector: LabelSelector;
    try {
      selector = parseLabelSelector(text);
    } catch (cause) {
      const words = `couldn't convert selector into a corresponding internal selector object: ${errorMessage(cause)}`;
      return this.#noPods("InvalidSelector", words);
    }
    const pods = this.#context.informers.of<Pod>(PODS).find("namespace", namespace);
    const selected = pods.filter(({ metadata }) => matchesLabels(selector, metadata.labels));
    this.#selectors.set(keyOf(this.#autoscaler), selector);
    return this.#ambiguous(text, selected) ?? selected;
  }

  /** @param told what the condition says, where that is something else */
  #noPods(event: string, message: string, told = { reason: event, words: message }): MetricFailure {
    this.#warn(event, message);
    this.#condition("ScalingActive", "False", told.reason, told.words);
    this.#warn("FailedComputeMetricsReplicas", message);
    return new MetricFailure(told.reason, new FailedPrecondition(message));
  }

  /** Two that change the number of the same pods would never agree. */
  #ambiguous(text: string, pods: readonly Pod[]): MetricFailure | undefined {
    const { namespace = "" } = this.#autoscaler.metadata;
    const others = [...this.#selectors].filter(
      ([key, selector]) =>
        key.startsWith(`${namespace}/`) && pods.some(({ metadata }) => matchesLabels(selector, metadata.labels)),
    );
    if (others.length <= 1) return undefined;
    const names = others.map(([key]) => `{${key.slice(namespace.length + 1)} ${namespace}}`).sort();
    const words = `pods by selector ${text} are controlled by multiple HPAs: [${names.join(" ")}]`;
    return this.#noPods("AmbiguousSelector", words);
  }

  async #rescale(
    target: Target,
    change: {
      readonly current: number;
      readonly desired: number;
      readonly reason: string;
      readonly metrics: JsonObject[] | null;
    },
    memory: Memory,
  ): Promise<void> {
    const { events } = this.#context;
    const { current, desired, reason, metrics } = change;
    try {
      await this.#writeScale(target, desired);
    } catch (error) {
      this.#warn("FailedRescale", `New size: ${desired}; reason: ${reason}; error: ${errorMessage(error)}`);
      const words = `the HPA controller was unable to update the target scale: ${errorMessage(error)}`;
      this.#condition("AbleToScale", "False", "FailedUpdateScale", words);
      await this.#write({ currentReplicas: current, currentMetrics: metrics });
      throw error;
    }
    const words = `the HPA controller was able to update the target scale to ${desired}`;
    this.#condition("AbleToScale", "True", "SucceededRescale", words);
    events.record(this.#autoscaler, "Normal", "SuccessfulRescale", `New size: ${desired}; reason: ${reason}`);
    const wish = { current, desired, min: 0, max: 0, now: this.#now };
    rememberChange(memory, wish, this.#autoscaler.spec?.behavior);
  }

  /** Somebody else may write the target at the same time, and be done. */
  async #writeScale({ ref, scale }: Target, replicas: number): Promise<void> {
    const { client } = this.#context;
    for (let fresh = scale, tries = 1; ; tries++) {
      try {
        await client.update<Scale>(ref, { ...fresh, spec: { ...fresh.spec, replicas } }, { subresource: "scale" });
        return;
      } catch (error) {
        if (!(error instanceof Conflict) || tries === MOST_TRIES) throw error;
        fresh = (await client.getRaw(objectPath(ref, "scale"))) as unknown as Scale;
      }
    }
  }

  async #write(changes: AutoscalerStatus): Promise<void> {
    const { generation } = this.#autoscaler.metadata;
    const before = this.#autoscaler.status ?? {};
    const status: AutoscalerStatus = {
      ...before,
      desiredReplicas: before.desiredReplicas ?? 0,
      ...changes,
      conditions: this.#conditions,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
    if (deepEqual(status, before)) return;
    try {
      await writeStatus(this.#context.client, refOf(AUTOSCALERS, this.#autoscaler), this.#autoscaler, status);
    } catch (error) {
      // Somebody has changed it meanwhile: that is looked at next.
      if (!(error instanceof Conflict)) throw error;
      this.#context.queue.add(keyOf(this.#autoscaler));
    }
  }
}
