import { deepEqual, selectorOf } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { ControllerContext } from "../contract.ts";
import {
  cleanUpRevisions,
  HASH_OF_PODS,
  hashOf,
  labelled,
  newestRevision,
  revisionsOf,
} from "../revisions/revisions.ts";
import { candidatesFor, claimObjects } from "../shared/claim.ts";
import { scaledValue } from "../shared/int-or-percent.ts";
import { createPod, deletePod, isNamespaceTerminating } from "../shared/pod-control.ts";
import { byAge, isFinished, isReady, isTerminating, nextAvailable, untilAvailable } from "../shared/pods.ts";
import { DAEMON_SETS, NODES, PODS, refOf } from "../shared/resources.ts";
import { slowStart } from "../shared/slow-start.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Pod } from "../types/pod.ts";
import type { DaemonSet, DaemonSetStatus, Node } from "../types/sets.ts";
import { nodeOf, type Placement, placementOn, podFor } from "./daemon-pods.ts";
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
    const revisions = await labelled(this.#context, await revisionsOf(this.#context, set, DAEMON_SETS));
    const { revision, collisionCount } = await newestRevision(this.#context, set, revisions);
    this.#hash = hashOf(revision);
    let failure = await this.#place(await this.#pods());
    if (failure === undefined && set.spec?.updateStrategy?.type !== "OnDelete") {
      failure = await this.#update(await this.#pods());
    }
    const pods = await this.#pods();
    await this.#writeStatus(pods, collisionCount);
    const live = new Set(pods.map((pod) => pod.metadata.labels?.[HASH_OF_PODS]));
    const old = revisions.filter((one) => hashOf(one) !== this.#hash);
    await cleanUpRevisions(this.#context, set, {
      revisions: old,
      most: old.length,
      isLive: (one) => live.has(hashOf(one)),
    });
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
    return pod.metadata.labels?.[HASH_OF_PODS] === this.#hash;
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
      const here = byNode.get(node);
      if (here === undefined) {
        if (should) missing.push(node);
      } else if (!mayStay) {
        doomed.push(...here);
      } else {
        const running = this.#running(node, here, doomed);
        if (this.#maySurge && running.length === 0 && should) missing.push(node);
        doomed.push(...(this.#maySurge ? this.#surplusOfTwo(running) : running.slice(1)));
      }
    }
    // Of nodes that are gone; those that no node was chosen for belong nowhere.
    for (const [node, here] of byNode) {
      if (!this.#placements.has(node)) doomed.push(...here.filter(({ spec }) => (spec?.nodeName ?? "") === ""));
    }
    const gone = await this.#delete(doomed);
    return (await this.#create(missing)) ?? gone;
  }

  /** Those that run, the one that is kept first. @param doomed gets those that have ended, if they may go already */
  #running(node: string, here: readonly Pod[], doomed: Pod[]): readonly Pod[] {
    const running: Pod[] = [];
    for (const pod of here) {
      if (isTerminating(pod)) continue;
      if (!isFinished(pod)) running.push(pod);
      else if (this.#mayReplace(node, pod)) doomed.push(pod);
    }
    return running.sort(byStart);
  }

  #mayReplace(node: string, pod: Pod): boolean {
    const failed = pod.status?.phase === "Failed";
    if (failed && !this.#failed.mayDelete(this.#context, this.#set, node)) return false;
    const { namespace, name } = pod.metadata;
    const [reason, words] = failed
      ? (["FailedDaemonPod", "Found failed daemon pod"] as const)
      : (["SucceededDaemonPod", "Found succeeded daemon pod"] as const);
    const message = `${words} ${namespace}/${name} on node ${node}, will try to ${failed ? "kill" : "delete"} it`;
    this.#context.events.record(this.#set, failed ? "Warning" : "Normal", reason, message);
    return true;
  }

  /** All but the first new and the first old one; the old one, too, when it does not work or is not needed any more. */
  #surplusOfTwo(running: readonly Pod[]): readonly Pod[] {
    const fresh = running.find((pod) => this.#isNew(pod));
    const old = running.find((pod) => !this.#isNew(pod));
    const surplus = running.filter((pod) => pod !== fresh && pod !== old);
    const isReplaced = fresh !== undefined && old !== undefined && (!isReady(old) || this.#isAvailable(fresh));
    return isReplaced ? [...surplus, old] : surplus;
  }

  get #desired(): number {
    return [...this.#placements.values()].filter(({ should }) => should).length;
  }

  #surgeOf(desired: number): number {
    const { type, rollingUpdate } = this.#set.spec?.updateStrategy ?? {};
    return type === "OnDelete" ? 0 : scaledValue(rollingUpdate?.maxSurge, desired, "up");
  }

  get #maySurge(): boolean {
    return this.#surgeOf(1) > 0;
  }

  /** Replaces old pods: those that do not work first, and then as many as may be away, or may be too many. */
  async #update(pods: readonly Pod[]): Promise<unknown> {
    const live = groupByNode(pods.filter((pod) => !isTerminating(pod)));
    const onNodes = new Map<string, OnNode>();
    const nodes = new Set([
      ...groupByNode(pods).keys(),
      ...[...this.#placements].flatMap(([node, { should }]) => (should ? [node] : [])),
    ]);
    for (const node of nodes) {
      const here = live.get(node) ?? [];
      const [fresh, old] = [here.filter((pod) => this.#isNew(pod)), here.filter((pod) => !this.#isNew(pod))];
      const isTooMany = fresh.length > 1 || old.length > 1;
      onNodes.set(node, { fresh: fresh[0], old: old[0], isTooMany });
    }
    return this.#surgeOf(this.#desired) > 0 ? await this.#surgeOver(onNodes) : await this.#takeDown(onNodes);
  }

  async #takeDown(onNodes: ReadonlyMap<string, OnNode>): Promise<unknown> {
    const { maxUnavailable = 1 } = this.#set.spec?.updateStrategy?.rollingUpdate ?? {};
    const most = Math.max(1, scaledValue(maxUnavailable, this.#desired, "up"));
    let away = 0;
    const broken: Pod[] = [];
    const working: Pod[] = [];
    for (const { fresh, old, isTooMany } of onNodes.values()) {
      const only = fresh === undefined ? old : old === undefined ? fresh : undefined;
      if (isTooMany || only === undefined || !this.#isAvailable(only)) away++;
      if (isTooMany || only === undefined || only === fresh) continue;
      (this.#isAvailable(only) ? working : broken).push(only);
    }
    return await this.#delete([...broken, ...working.slice(0, Math.max(0, most - away))]);
  }

  /**
   * The new one is there before the old one goes. An old one that does not work has a new one at once, beside those that
   * may be too many; one on a node where none belongs any more goes as soon as enough others work.
   */
  async #surgeOver(onNodes: ReadonlyMap<string, OnNode>): Promise<unknown> {
    const doomed: Pod[] = [];
    const misplaced: Pod[] = [];
    const broken: string[] = [];
    const candidates: string[] = [];
    let [surging, available] = [0, 0];
    for (const [node, { fresh, old, isTooMany }] of onNodes) {
      if (isTooMany) {
        surging++;
        continue;
      }
      const shown = old ?? fresh;
      if (shown !== undefined && this.#isAvailable(shown)) available++;
      if (old === undefined) continue;
      const should = this.#placements.get(node)?.should === true;
      if (fresh !== undefined) {
        if (this.#isAvailable(fresh)) doomed.push(old);
        else surging++;
      } else if (this.#isAvailable(old)) {
        if (should) candidates.push(node);
        else misplaced.push(old);
      } else if (should) broken.push(node);
      else doomed.push(old);
    }
    doomed.push(...misplaced.slice(0, Math.max(0, available - this.#desired)));
    const most = Math.max(0, this.#surgeOf(this.#desired) - surging);
    const gone = await this.#delete(doomed);
    return (await this.#create([...broken, ...candidates.slice(0, most)])) ?? gone;
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

  /** As upstream does: of several pods on a node the oldest one counts, also one on its way out. */
  #count(pods: readonly Pod[], collisionCount: number): DaemonSetStatus {
    const byNode = groupByNode(pods);
    const placed = [...this.#placements].map(([node, { should }]) => ({
      should,
      pod: byNode.get(node)?.toSorted(byStart)[0],
    }));
    const wanted = placed.flatMap(({ should, pod }) => (should ? [pod] : []));
    const there = wanted.filter((pod) => pod !== undefined);
    const { minReadySeconds = 0 } = this.#set.spec ?? {};
    const available = there.filter(
      (pod) => untilAvailable(pod, minReadySeconds, this.#context.clock.now()) === 0,
    ).length;
    return {
      observedGeneration: this.#set.metadata.generation ?? 0,
      desiredNumberScheduled: wanted.length,
      currentNumberScheduled: there.length,
      numberMisscheduled: placed.filter(({ should, pod }) => !should && pod !== undefined).length,
      numberReady: there.filter(isReady).length,
      updatedNumberScheduled: there.filter((pod) => this.#isNew(pod)).length,
      numberAvailable: available,
      numberUnavailable: wanted.length - available,
      ...(collisionCount === 0 ? {} : { collisionCount }),
      ...(this.#set.status?.conditions === undefined ? {} : { conditions: this.#set.status.conditions }),
    };
  }
}

/** What of a set is on a node, besides what goes. */
interface OnNode {
  readonly fresh: Pod | undefined;
  readonly old: Pod | undefined;
  /** More than one of a sort. */
  readonly isTooMany: boolean;
}

/** By node; without those that have ended and go, and those that were made for none. */
function groupByNode(pods: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  const there = pods.filter((pod) => !(isFinished(pod) && isTerminating(pod)) && nodeOf(pod) !== "");
  return Map.groupBy(there, nodeOf);
}

/** Those that have a node first, and then the older ones. */
function byStart(left: Pod, right: Pod): number {
  const [a, b] = [left, right].map(({ spec }) => ((spec?.nodeName ?? "") === "" ? 1 : 0));
  return (a ?? 0) - (b ?? 0) || byAge(left, right);
}

/** Numbers that are zero and absent ones are the same. */
function withoutZeros(status: DaemonSetStatus): DaemonSetStatus {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0)) as DaemonSetStatus;
}
