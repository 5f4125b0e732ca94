import { deepEqual, type LabelSelector, matchesLabels, selectorOf, selectorOfMap } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { keyOf, type Resource } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { candidatesFor, claimObjects } from "../shared/claim.ts";
import { withCondition, withoutCondition } from "../shared/conditions.ts";
import { enqueueOwners } from "../shared/enqueue-owners.ts";
import { podPrefix } from "../shared/long-names.ts";
import { createPod, deletePod, isNamespaceTerminating } from "../shared/pod-control.ts";
import {
  isActive,
  isFinished,
  isReady,
  isTerminating,
  nextAvailable,
  podOfTemplate,
  untilAvailable,
} from "../shared/pods.ts";
import { PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, refOf } from "../shared/resources.ts";
import { slowStart } from "../shared/slow-start.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Pod } from "../types/pod.ts";
import type { ReplicaSet, ReplicaSetStatus } from "../types/workloads.ts";
import { onNodes } from "./on-nodes.ts";
import { rankForDeletion } from "./rank-pods.ts";

/** Pods that one look makes or deletes at most. */
const BURST = 500;

interface Variety {
  readonly name: string;
  readonly resource: Resource;
  readonly selector: (object: ReplicaSet) => LabelSelector | undefined;
  /** Whether pods on their way out are told. */
  readonly tellsTerminating: boolean;
}

/** Keeps as many pods of a template as are asked for. */
export const replicaSetController: ControllerDefinition = define({
  name: "replicaset-controller",
  resource: REPLICA_SETS,
  selector: ({ spec }) => selectorOf(spec?.selector),
  tellsTerminating: true,
});

/** The same for replication controllers, whose selector is a map of labels. */
export const replicationController: ControllerDefinition = define({
  name: "replication-controller",
  resource: REPLICATION_CONTROLLERS,
  selector: ({ spec }) => selectorOfMap((spec?.selector ?? {}) as Readonly<Record<string, string>>),
  tellsTerminating: false,
});

function define(variety: Variety): ControllerDefinition {
  return { name: variety.name, open: (context) => open(context, variety) };
}

function open(context: ControllerContext, variety: Variety): Reconcile {
  const { informers, queue } = context;
  const sets = informers.of<ReplicaSet>(variety.resource);
  const pods = informers.of<Pod>(PODS);
  enqueueOwners<ReplicaSet>({ queue, owners: sets, dependents: pods, selector: variety.selector });
  return async (key) => {
    const set = sets.get(key);
    const selector = set === undefined ? undefined : variety.selector(set);
    if (set === undefined || selector === undefined || selector.length === 0) return;
    await new Look(context, variety, set, selector).run();
  };
}

/** One look at one set. */
class Look {
  readonly #context: ControllerContext;
  readonly #variety: Variety;
  readonly #set: ReplicaSet;
  readonly #selector: LabelSelector;

  constructor(context: ControllerContext, variety: Variety, set: ReplicaSet, selector: LabelSelector) {
    this.#context = context;
    this.#variety = variety;
    this.#set = set;
    this.#selector = selector;
  }

  async run(): Promise<void> {
    const pods = await this.#pods();
    const live = isTerminating(this.#set);
    const failure = live ? undefined : await this.#manage(pods.filter(isActive));
    await this.#writeStatus(live ? pods : await this.#pods(), failure);
    if (failure !== undefined && !isNamespaceTerminating(failure.error)) throw failure.error;
  }

  async #pods(): Promise<readonly Pod[]> {
    const { client, informers } = this.#context;
    return await claimObjects<Pod>({
      client,
      owner: this.#set,
      ownerResource: this.#variety.resource,
      resource: PODS,
      selector: this.#selector,
      candidates: candidatesFor(informers.of<Pod>(PODS), this.#set),
      adoptable: (pod) => !isFinished(pod),
    });
  }

  /** @returns what went wrong, of the first that did */
  async #manage(active: readonly Pod[]): Promise<Failure | undefined> {
    const wanted = this.#set.spec?.replicas ?? 1;
    if (active.length < wanted) {
      const { done, error } = await slowStart(Math.min(wanted - active.length, BURST), () => this.#create());
      if (error !== undefined) return { reason: "FailedCreate", error };
      if (active.length + done < wanted) this.#context.queue.add(keyOf(this.#set));
    } else if (active.length > wanted) return await this.#delete(active, Math.min(active.length - wanted, BURST));
    return undefined;
  }

  async #create(): Promise<void> {
    const pod = podOfTemplate(this.#set.spec?.template ?? {});
    pod.metadata.generateName = podPrefix(this.#set.metadata.name ?? "");
    await createPod(this.#context, this.#set, pod);
  }

  async #delete(active: readonly Pod[], many: number): Promise<Failure | undefined> {
    const { informers, clock } = this.#context;
    const ranks = onNodes(informers, this.#variety.resource, this.#set);
    const doomed = rankForDeletion(active, ranks, clock.now()).slice(0, many);
    const settled = await Promise.allSettled(doomed.map((pod) => deletePod(this.#context, this.#set, pod)));
    const failed = settled.find((one) => one.status === "rejected");
    if (failed !== undefined) return { reason: "FailedDelete", error: failed.reason };
    const wanted = this.#set.spec?.replicas ?? 1;
    if (active.length - many > wanted) this.#context.queue.add(keyOf(this.#set));
    return undefined;
  }

  async #writeStatus(pods: readonly Pod[], failure: Failure | undefined): Promise<void> {
    const { client, clock, queue } = this.#context;
    const set = this.#set;
    const { minReadySeconds = 0 } = set.spec ?? {};
    const active = pods.filter(isActive);
    const next = nextAvailable(active, minReadySeconds, clock.now());
    if (next !== undefined) queue.addAfter(keyOf(set), next);
    const old = set.status ?? {};
    const status = this.#count(pods);
    const conditions = this.#conditions(failure);
    if (conditions.length > 0) status.conditions = conditions;
    if (!deepEqual(status, withoutZeros(old))) {
      await writeStatus(client, refOf(this.#variety.resource, set), set, { replicas: 0, ...status });
    }
  }

  #count(pods: readonly Pod[]): ReplicaSetStatus {
    const { spec = {}, metadata } = this.#set;
    const now = this.#context.clock.now();
    const active = pods.filter(isActive);
    const labels = Object.entries(spec.template?.metadata?.labels ?? {});
    const full = active.filter((pod) =>
      labels.every(([name, value]) =>
        matchesLabels([{ key: name, operator: "in", values: new Set([value]) }], pod.metadata.labels),
      ),
    );
    const available = active.filter((pod) => untilAvailable(pod, spec.minReadySeconds ?? 0, now) === 0);
    const terminating = pods.filter((pod) => isTerminating(pod) && !isFinished(pod)).length;
    return withoutZeros({
      replicas: active.length,
      fullyLabeledReplicas: full.length,
      readyReplicas: active.filter(isReady).length,
      availableReplicas: available.length,
      ...(this.#variety.tellsTerminating ? { terminatingReplicas: terminating } : {}),
      observedGeneration: metadata.generation ?? 0,
    });
  }

  #conditions(failure: Failure | undefined) {
    const present = this.#set.status?.conditions;
    if (failure === undefined) return withoutCondition(present, "ReplicaFailure");
    const { reason, error } = failure;
    if (present?.some((one) => one.type === "ReplicaFailure")) return [...present];
    const lastTransitionTime = new Date(this.#context.clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
    return withCondition(present, {
      type: "ReplicaFailure",
      status: "True",
      reason,
      message: errorMessage(error),
      lastTransitionTime,
    });
  }
}

interface Failure {
  readonly reason: "FailedCreate" | "FailedDelete";
  readonly error: unknown;
}

/** Numbers that are zero are absent, as the API gives them. */
function withoutZeros(status: ReplicaSetStatus): ReplicaSetStatus {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0)) as ReplicaSetStatus;
}
