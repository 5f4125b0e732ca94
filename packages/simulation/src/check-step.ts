import {
  type KubeObject,
  type LabelSelectorObject,
  type Labels,
  listAt,
  matchesLabels,
  selectorOf,
  textAt,
  valueAt,
} from "@boxship/api";
import { keyOf } from "@boxship/client";
import { amount, exceeds, hasEnded, type Observer, requestsOf } from "./observer.ts";

/** How long something may be wrong, in milliseconds of the simulated time. */
const DEADLINES = {
  /** Longer than any chain of failed writes, slow stores, held watches and restarts that are planned. */
  controllers: 4 * 60_000,
  /** Pods that did not fit are tried anew after five minutes at the latest. */
  scheduler: 8 * 60_000,
  kubelet: 60_000,
} as const;
type Who = keyof typeof DEADLINES;

/** Of clusters with more pods than this, not every moment is looked at. */
const MANY = 2000;
const EVERY_MS = 10_000;

/** Where what a quota names is among what {@link Observer.used} counts. */
const USED_AS: Readonly<Record<string, number>> = {
  cpu: 0,
  "requests.cpu": 0,
  memory: 1,
  "requests.memory": 1,
  pods: 2,
};

export interface StepContext {
  readonly observer: Observer;
  /** Milliseconds from the start. */
  readonly now: number;
  /** Whether a node is there. */
  readonly isThere: (node: string) => boolean;
}

const numberAt = (object: KubeObject, ...path: string[]): number => Number(valueAt(object, ...path) ?? 0);
const controllerOf = ({ metadata }: KubeObject) =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);
const isGoing = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined;
const conditionAt = (object: KubeObject, type: string): string =>
  textAt(
    listAt(object, "status", "conditions").find((one) => textAt(one, "type") === type),
    "status",
  );
export const isReady = (pod: KubeObject): boolean =>
  conditionAt(pod, "Ready") === "True" && !isGoing(pod) && !hasEnded(pod);

interface Wrong {
  readonly at: number;
  isTold: boolean;
}

/** What must not be for long is found when it has been for too long; what must never be, at once. */
export class StepChecks {
  readonly violations: string[] = [];
  /** What is wrong, and since when. */
  #since = new Map<string, Wrong>();
  #looked = Number.NEGATIVE_INFINITY;
  /** How much there may be, by quota. */
  readonly #allowed = new Map<string, number>();

  /** To be called when nobody has anything left to do at this time. */
  look(context: StepContext): void {
    const { observer, now } = context;
    this.#quotas(observer);
    const pods = [...observer.pods()];
    if (pods.length > MANY && now < this.#looked + EVERY_MS) return;
    this.#looked = now;
    const wrong = new Map<string, Who>();
    for (const [line, who] of this.#wrong(context, pods)) wrong.set(line, who);
    const since = new Map<string, Wrong>();
    for (const [line, who] of wrong) {
      const one = this.#since.get(line) ?? { at: now, isTold: false };
      since.set(line, one);
      if (one.isTold || now - one.at <= DEADLINES[who]) continue;
      one.isTold = true;
      this.violations.push(`${line}, since ${Math.round(one.at / 1000)}s`);
    }
    this.#since = since;
  }

  /** No moment has more than a quota allows. */
  #quotas(observer: Observer): void {
    for (const quota of observer.all("resourcequotas")) {
      const { hard = {}, ...limits } = (quota["spec"] ?? {}) as { hard?: Readonly<Record<string, string>> };
      // A quota with scopes is of some pods only.
      if (Object.keys(limits).length > 0) continue;
      const used = observer.used(quota.metadata.namespace ?? "");
      for (const [name, most] of Object.entries(hard)) {
        const sum = used[USED_AS[name] ?? -1];
        if (sum === undefined) continue;
        // What was there before a quota said so may stay, and become less.
        const id = `${quota.metadata.uid} ${name} ${most}`;
        const allowed = Math.max(amount(most), Math.min(sum, this.#allowed.get(id) ?? sum));
        this.#allowed.set(id, allowed);
        const line = `quota ${keyOf(quota)} is exceeded: ${name} ${sum} of ${most}`;
        if (exceeds(sum, allowed) && !this.violations.includes(line)) this.violations.push(line);
      }
    }
  }

  *#wrong(context: StepContext, pods: readonly KubeObject[]): Generator<readonly [string, Who]> {
    const { observer, isThere } = context;
    yield* wrongPods(context, pods);
    const owned = Map.groupBy(
      pods.filter((pod) => !hasEnded(pod)),
      (pod) => controllerOf(pod)?.uid,
    );
    for (const set of [...observer.all("replicasets"), ...observer.all("replicationcontrollers")]) {
      const wanted = numberAt(set, "spec", "replicas");
      const there = (owned.get(set.metadata.uid) ?? []).filter((pod) => !isGoing(pod)).length;
      // A quota keeps it from more, and it says so.
      const isKept = conditionAt(set, "ReplicaFailure") === "True" && there < wanted;
      if (!isGoing(set) && there !== wanted && !isKept)
        yield [`${set.kind} ${keyOf(set)} has not as many pods as it wants`, "controllers"];
      if (numberAt(set, "status", "replicas") !== there)
        yield [`${set.kind} ${keyOf(set)} tells another number of pods`, "controllers"];
    }
    for (const set of observer.all("statefulsets")) {
      const own = owned.get(set.metadata.uid) ?? [];
      // Pods of lost nodes are waited for: they may still run. Others wait for those that are not ready.
      if (isGoing(set) || own.some((pod) => isGoing(pod) || !isReady(pod))) continue;
      if (own.length !== numberAt(set, "spec", "replicas"))
        yield [`StatefulSet ${keyOf(set)} has not as many pods as it wants`, "controllers"];
    }
    for (const node of observer.nodes()) {
      const name = node.metadata.name ?? "";
      if (isThere(name) !== (conditionAt(node, "Ready") === "True"))
        yield [
          `node ${name} is ${isThere(name) ? "well and is not said to be" : "lost and is said to be well"}`,
          "controllers",
        ];
    }
  }
}

function* wrongPods(
  { observer, isThere }: StepContext,
  pods: readonly KubeObject[],
): Generator<readonly [string, Who]> {
  const owners = new Set(
    (["deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "replicationcontrollers"] as const).flatMap(
      (resource) => observer.all(resource).map(({ metadata }) => metadata.uid),
    ),
  );
  const rooms = new Rooms(observer);
  for (const pod of pods) {
    const key = keyOf(pod);
    const node = textAt(pod, "spec", "nodeName");
    const owner = controllerOf(pod);
    const isOnLost = node !== "" && !isThere(node);
    if (owner !== undefined && !owners.has(owner.uid) && !isOnLost)
      yield [`pod ${key} is left over of ${owner.kind} ${owner.name}`, "controllers"];
    if (hasEnded(pod)) continue;
    if (node === "" && !isGoing(pod) && rooms.hasFor(pod)) yield [`pod ${key} waits, and there is room`, "scheduler"];
    if (node === "" || isOnLost) continue;
    if (isGoing(pod)) yield [`pod ${key} does not end`, "kubelet"];
    else if (
      textAt(pod, "status", "phase") === "Pending" &&
      pod.metadata.annotations?.["simulate.boxship/starts-after"] === undefined
    )
      yield [`pod ${key} has a node and does not start`, "kubelet"];
  }
}

/** What is left on nodes at one moment: of pods that ask for the same one is looked for. */
class Rooms {
  readonly #observer: Observer;
  /** Cores, bytes and pods that are free. */
  #free: readonly (readonly number[])[] | undefined;
  readonly #known = new Map<string, boolean>();

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  hasFor(pod: KubeObject): boolean {
    const { affinity, nodeSelector } = (pod["spec"] ?? {}) as { affinity?: object; nodeSelector?: object };
    if (affinity !== undefined || nodeSelector !== undefined) return false;
    const asked = [...requestsOf(pod), 1];
    const id = asked.join(" ");
    let found = this.#known.get(id);
    if (found === undefined) {
      this.#free ??= [...this.#observer.nodes()].flatMap((node) => freeOf(node, this.#observer) ?? []);
      found = this.#free.some((free) => asked.every((amounts, index) => amounts <= (free[index] ?? 0)));
      this.#known.set(id, found);
    }
    return found;
  }
}

/** Undefined of a node that takes nothing. */
function freeOf(node: KubeObject, observer: Observer): (readonly number[])[] | undefined {
  if (conditionAt(node, "Ready") !== "True" || listAt(node, "spec", "taints").length > 0) return undefined;
  const taken = observer.taken(node.metadata.name ?? "");
  const most = ["cpu", "memory", "pods"].map((name) => amount(textAt(node, "status", "allocatable", name)));
  return [most.map((one, index) => one - (taken[index] ?? 0))];
}

/** Whether labels are those that an object's selector means. */
export function matcherOf(object: KubeObject): (labels: Labels) => boolean {
  const selector = selectorOf(valueAt(object, "spec", "selector") as LabelSelectorObject | undefined);
  return (labels) => selector !== undefined && matchesLabels(selector, labels);
}

/** Budgets that an eviction of this pod would break, as the pods are at this very moment. */
export function brokenBudgets(observer: Observer, pod: KubeObject): readonly string[] {
  if (!isReady(pod)) return [];
  return observer.all("poddisruptionbudgets").flatMap((budget) => {
    if (budget.metadata.namespace !== pod.metadata.namespace) return [];
    const matches = matcherOf(budget);
    if (!matches(pod.metadata.labels ?? {})) return [];
    const least = numberAt(budget, "spec", "minAvailable");
    const healthy = [...observer.pods()].filter(
      (one) =>
        one.metadata.namespace === budget.metadata.namespace && matches(one.metadata.labels ?? {}) && isReady(one),
    ).length;
    return healthy - 1 < least ? [`budget ${keyOf(budget)} is broken: ${healthy - 1} healthy pods of ${least}`] : [];
  });
}
