import { deepEqual, selectorOf } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { ControllerContext } from "../contract.ts";
import { cleanUpRevisions, hashOf, newestRevision, revisionsOf } from "../revisions/revisions.ts";
import { candidatesFor, claimObjects } from "../shared/claim.ts";
import { scaledValue } from "../shared/int-or-percent.ts";
import { createPod, deletePod, isNamespaceTerminating } from "../shared/pod-control.ts";
import { byAge, isFinished, isReady, isTerminating, nextAvailable, untilAvailable } from "../shared/pods.ts";
import { DAEMON_SETS, NODES, PODS, refOf } from "../shared/resources.ts";
import { slowStart } from "../shared/slow-start.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Pod } from "../types/pod.ts";
import type { DaemonSet, DaemonSetStatus, Node } from "../types/sets.ts";
import { HASH_LABEL, nodeOf, type Placement, placementOn, podFor } from "./daemon-pods.ts";
import type { FailedPods } from "./failed-pods.ts";

/** Pods that one look makes or deletes at most. */
const BURST = 250;

/** One look at one set. */
export class DaemonLook {
  readonly #context: ControllerContext;
  readonly #set: DaemonSet;
  readonly #failed: FailedPods;
  readonly #placements: ReadonlyMap<string, Placement>;
  #hash = "";

  constructor(context: ControllerContext, set: DaemonSet, failed: FailedPods) {
    this.#context = context;
    this.#set = set;
    this.#failed = failed;
    const nodes = context.informers.of<Node>(NODES);
    this.#placements = new Map([...nodes.all()].map((node) => [node.metadata.name ?? "", placementOn(set, node)]));
  }

  async run(): Promise<void> {
    const set = this.#set;
    const revisions = await revisionsOf(this.#context, set, DAEMON_SETS);
    const { revision, collisionCount } = await newestRevision(this.#context, set, revisions);
    this.#hash = hashOf(revision);
    let failure: unknown;
    if (!isTerminating(set)) {
      failure = await this.#place(await this.#pods());
      if (failure === undefined && set.spec?.updateStrategy?.type !== "OnDelete") {
        failure = await this.#update(await this.#pods());
      }
    }
    const pods = await this.#pods();
    await this.#writeStatus(pods, collisionCount);
    const live = new Set([this.#hash, ...pods.map((pod) => pod.metadata.labels?.[HASH_LABEL])]);
    await cleanUpRevisions(this.#context, set, revisions, (one) => live.has(hashOf(one)));
    if (failure !== undefined && !isNamespaceTerminating(failure)) throw failure;
  }

  async #pods(): Promise<readonly Pod[]> {
    const { client, informers } = this.#context;
    return await claimObjects<Pod>({
      client,
      owner: this.#set,
      ownerResource: DAEMON_SETS,
      resource: PODS,
      selector: selectorOf(this.#set.spec?.selector) ?? [],
      candidates: candidatesFor(informers.of<Pod>(PODS), this.#set),
    });
  }

  #isNew(pod: Pod): boolean {
    return pod.metadata.labels?.[HASH_LABEL] === this.#hash;
  }

  #isAvailable(pod: Pod): boolean {
    const { minReadySeconds = 0 } = this.#set.spec ?? {};
    return !isTerminating(pod) && untilAvailable(pod, minReadySeconds, this.#context.clock.now()) === 0;
  }

  /** One pod on each node where one belongs, none elsewhere. */
  async #place(pods: readonly Pod[]): Promise<unknown> {
    const byNode = groupByNode(pods);
    const missing: string[] = [];
    const doomed: Pod[] = [];
    for (const [node, { should, mayStay }] of this.#placements) {
      const here = byNode.get(node) ?? [];
      if (!mayStay) doomed.push(...here);
      else if (here.length > 0) doomed.push(...this.#surplus(node, here));
      else if (should) missing.push(node);
    }
    // Of nodes that are gone; those that no node was chosen for belong nowhere.
    for (const [node, here] of byNode) {
      if (node !== "" && !this.#placements.has(node))
        doomed.push(...here.filter(({ spec }) => spec?.nodeName === undefined));
    }
    const gone = await this.#delete(doomed);
    return (await this.#create(missing)) ?? gone;
  }

  /** Pods that have ended, and all but the oldest of those that have not. */
  #surplus(node: string, here: readonly Pod[]): readonly Pod[] {
    const { events } = this.#context;
    const ended = here.filter(isFinished);
    for (const pod of ended.filter((one) => !isTerminating(one))) {
      const { namespace, name } = pod.metadata;
      const failed = pod.status?.phase === "Failed";
      if (failed && !this.#failed.mayDelete(this.#context, this.#set, node)) return [];
      const [reason, words] = failed
        ? (["FailedDaemonPod", "Found failed daemon pod"] as const)
        : (["SucceededDaemonPod", "Found succeeded daemon pod"] as const);
      const message = `${words} ${namespace}/${name} on node ${node}, will try to ${failed ? "kill" : "delete"} it`;
      events.record(this.#set, failed ? "Warning" : "Normal", reason, message);
    }
    const running = here.filter((pod) => !isFinished(pod) && !isTerminating(pod)).sort(byAge);
    const kept =
      this.#surge > 0
        ? [running.find((pod) => this.#isNew(pod)), running.find((pod) => !this.#isNew(pod))]
        : [running[0]];
    return [...ended, ...running.filter((pod) => !kept.includes(pod))];
  }

  get #desired(): number {
    return [...this.#placements.values()].filter(({ should }) => should).length;
  }

  get #surge(): number {
    const { type, rollingUpdate } = this.#set.spec?.updateStrategy ?? {};
    return type === "OnDelete" ? 0 : scaledValue(rollingUpdate?.maxSurge, this.#desired, "up");
  }

  /** Replaces old pods: those that do not work first, and then as many as may be away, or may be too many. */
  async #update(pods: readonly Pod[]): Promise<unknown> {
    const byNode = groupByNode(pods.filter((pod) => !isFinished(pod)));
    return this.#surge > 0 ? await this.#surgeOver(byNode) : await this.#takeDown(byNode);
  }

  async #takeDown(byNode: ReadonlyMap<string, readonly Pod[]>): Promise<unknown> {
    const most = Math.max(
      1,
      scaledValue(this.#set.spec?.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, this.#desired, "up"),
    );
    let away = 0;
    const broken: Pod[] = [];
    const working: Pod[] = [];
    for (const [node, { should }] of this.#placements) {
      const here = byNode.get(node) ?? [];
      const live = here.find((pod) => !isTerminating(pod));
      if (should && (live === undefined || !this.#isAvailable(live))) away++;
      if (live === undefined || this.#isNew(live)) continue;
      (this.#isAvailable(live) ? working : broken).push(live);
    }
    return await this.#delete([...broken, ...working.slice(0, Math.max(0, most - away))]);
  }

  async #surgeOver(byNode: ReadonlyMap<string, readonly Pod[]>): Promise<unknown> {
    const doomed: Pod[] = [];
    const candidates: string[] = [];
    let surging = 0;
    for (const [node, { should }] of this.#placements) {
      const here = (byNode.get(node) ?? []).filter((pod) => !isTerminating(pod));
      const old = here.find((pod) => !this.#isNew(pod));
      const fresh = here.find((pod) => this.#isNew(pod));
      if (old === undefined) continue;
      if (fresh === undefined) {
        if (should) candidates.push(node);
      } else if (this.#isAvailable(fresh)) doomed.push(old);
      else surging++;
    }
    const gone = await this.#delete(doomed);
    return (await this.#create(candidates.slice(0, Math.max(0, this.#surge - surging)))) ?? gone;
  }

  async #create(nodes: readonly string[]): Promise<unknown> {
    const now = nodes.slice(0, BURST);
    if (nodes.length > BURST) this.#context.queue.add(keyOf(this.#set));
    const { error } = await slowStart(now.length, async (at) => {
      await createPod(this.#context, this.#set, podFor(this.#set, now[at] ?? "", this.#hash));
    });
    return error;
  }

  async #delete(pods: readonly Pod[]): Promise<unknown> {
    const doomed = pods.filter((pod) => !isTerminating(pod)).slice(0, BURST);
    const settled = await Promise.allSettled(doomed.map((pod) => deletePod(this.#context, this.#set, pod)));
    return settled.find((one) => one.status === "rejected")?.reason;
  }

  async #writeStatus(pods: readonly Pod[], collisionCount: number): Promise<void> {
    const { client, clock, queue } = this.#context;
    const set = this.#set;
    const next = nextAvailable(pods, set.spec?.minReadySeconds ?? 0, clock.now());
    if (next !== undefined) queue.addAfter(keyOf(set), next);
    const status = this.#count(pods, collisionCount);
    if (deepEqual(withoutZeros(status), withoutZeros(set.status ?? {}))) return;
    await writeStatus(client, refOf(DAEMON_SETS, set), set, status);
  }

  #count(pods: readonly Pod[], collisionCount: number): DaemonSetStatus {
    const byNode = groupByNode(pods);
    const placed = [...this.#placements].map(([node, { should }]) => ({ should, here: byNode.get(node) ?? [] }));
    const wanted = placed.filter(({ should }) => should);
    const having = (holds: (pod: Pod) => boolean): number =>
      wanted.filter(({ here }) => here.some((pod) => !isTerminating(pod) && holds(pod))).length;
    const available = having((pod) => this.#isAvailable(pod));
    return {
      observedGeneration: this.#set.metadata.generation ?? 0,
      desiredNumberScheduled: wanted.length,
      currentNumberScheduled: wanted.filter(({ here }) => here.length > 0).length,
      numberMisscheduled: placed.filter(({ should, here }) => !should && here.length > 0).length,
      numberReady: having(isReady),
      updatedNumberScheduled: having((pod) => this.#isNew(pod)),
      numberAvailable: available,
      numberUnavailable: wanted.length - available,
      ...(collisionCount === 0 ? {} : { collisionCount }),
      ...(this.#set.status?.conditions === undefined ? {} : { conditions: this.#set.status.conditions }),
    };
  }
}

function groupByNode(pods: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  return Map.groupBy(pods, nodeOf);
}

/** Numbers that are zero and absent ones are the same. */
function withoutZeros(status: DaemonSetStatus): DaemonSetStatus {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0)) as DaemonSetStatus;
}
