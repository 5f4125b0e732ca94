import { deepEqual, selectorOf } from "@boxship/api";
import { errorMessage, NotFound } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerContext } from "../contract.ts";
import { cleanUpRevisions, newestRevision, revisionsOf, templateOf } from "../revisions/revisions.ts";
import { candidatesFor, claimObjects } from "../shared/claim.ts";
import { scaledValue } from "../shared/int-or-percent.ts";
import { isNamespaceTerminating } from "../shared/pod-control.ts";
import { isFinished, isReady, isTerminating, nextAvailable, untilAvailable } from "../shared/pods.ts";
import { PODS, refOf, STATEFUL_SETS } from "../shared/resources.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Pod } from "../types/pod.ts";
import type { StatefulSet, StatefulSetStatus } from "../types/sets.ts";
import type { ControllerRevision } from "../types/workloads.ts";
import { makeClaims, ownClaims } from "./claims.ts";
import { ordinalOf, podOfSet, revisionLabelOf } from "./identity.ts";

/** One look at one set. */
export class StatefulLook {
  readonly #context: ControllerContext;
  readonly #set: StatefulSet;
  #current: ControllerRevision | undefined;
  #newest: ControllerRevision | undefined;

  constructor(context: ControllerContext, set: StatefulSet) {
    this.#context = context;
    this.#set = set;
  }

  async run(): Promise<void> {
    const set = this.#set;
    const revisions = await revisionsOf(this.#context, set, STATEFUL_SETS);
    if (isTerminating(set) && revisions.length === 0) return;
    const { revision, collisionCount } = await newestRevision(this.#context, set, revisions);
    this.#newest = revision;
    const known = set.status?.currentRevision;
    this.#current = revisions.find(({ metadata }) => metadata.name === known) ?? revision;
    let failure: unknown;
    if (!isTerminating(set)) failure = await this.#work(await this.#pods()).catch((error: unknown) => error ?? true);
    const pods = await this.#pods();
    await this.#writeStatus(pods, collisionCount);
    const isLive = ({ metadata: { name = "" } }: ControllerRevision): boolean => this.#isLive(name, pods);
    await cleanUpRevisions(this.#context, set, { revisions, isLive });
    if (failure !== undefined && !isNamespaceTerminating(failure)) throw failure;
  }

  #isLive(name: string, pods: readonly Pod[]): boolean {
    if (name === this.#current?.metadata.name || name === this.#newest?.metadata.name) return true;
    return pods.some((pod) => revisionLabelOf(pod) === name);
  }

  async #pods(): Promise<readonly Pod[]> {
    const { client, informers } = this.#context;
    const set = this.#set;
    return await claimObjects<Pod>({
      client,
      owner: set,
      ownerResource: STATEFUL_SETS,
      resource: PODS,
      selector: selectorOf(set.spec?.selector) ?? [],
      candidates: candidatesFor(informers.of<Pod>(PODS), set),
      member: (pod) => ordinalOf(set, pod) !== undefined,
    });
  }

  get #first(): number {
    return this.#set.spec?.ordinals?.start ?? 0;
  }

  get #replicas(): number {
    return this.#set.spec?.replicas ?? 1;
  }

  get #isParallel(): boolean {
    return this.#set.spec?.podManagementPolicy === "Parallel";
  }

  #isWanted(ordinal: number): boolean {
    return ordinal >= this.#first && ordinal < this.#first + this.#replicas;
  }

  #isAvailable(pod: Pod): boolean {
    return (
      this.#isRunningAndReady(pod) &&
      untilAvailable(pod, this.#set.spec?.minReadySeconds ?? 0, this.#context.clock.now()) === 0
    );
  }

  #isRunningAndReady(pod: Pod): boolean {
    return isRunning(pod) && !isTerminating(pod);
  }

  /** Member by member: those that are missing, then those that are too many, then those that are old. */
  async #work(pods: readonly Pod[]): Promise<void> {
    const byOrdinal = new Map(pods.map((pod) => [ordinalOf(this.#set, pod), pod]));
    for (let ordinal = this.#first; ordinal < this.#first + this.#replicas; ordinal++) {
      const wait = await this.#keep(ordinal, byOrdinal.get(ordinal));
      if (wait && !this.#isParallel) return;
    }
    const condemned = pods
      .filter((pod) => !this.#isWanted(ordinalOf(this.#set, pod) ?? -1))
      .sort((left, right) => (ordinalOf(this.#set, right) ?? 0) - (ordinalOf(this.#set, left) ?? 0));
    for (const pod of condemned) await ownClaims(this.#context, this.#set, pod, true);
    const firstUnhealthy = condemned.findLast((pod) => !this.#isAvailable(pod));
    for (const pod of condemned) {
      const blocked = isTerminating(pod) || (!this.#isAvailable(pod) && pod !== firstUnhealthy);
      if (blocked && !this.#isParallel) return;
      if (!isTerminating(pod)) await this.#delete(pod);
      if (!this.#isParallel) return;
    }
    if (this.#set.spec?.updateStrategy?.type !== "OnDelete") await this.#update(byOrdinal);
  }

  /** @returns whether the members after it have to wait for this one */
  async #keep(ordinal: number, pod: Pod | undefined): Promise<boolean> {
    if (pod === undefined) {
      await this.#create(ordinal);
      return true;
    }
    if (isFinished(pod)) {
      if (!isTerminating(pod)) await this.#delete(pod);
      return true;
    }
    if (pod.status?.phase === "Pending") await makeClaims(this.#context, this.#set, pod.metadata.name ?? "");
    await ownClaims(this.#context, this.#set, pod, false);
    return isTerminating(pod) || !this.#isAvailable(pod);
  }

  /** Members below the partition are made as they were before. */
  #revisionFor(ordinal: number): ControllerRevision | undefined {
    const { updateStrategy } = this.#set.spec ?? {};
    const partition = updateStrategy?.rollingUpdate?.partition;
    const old =
      updateStrategy?.type !== "OnDelete" &&
      ordinal < this.#first + (partition ?? this.#set.status?.currentReplicas ?? 0);
    return old ? this.#current : this.#newest;
  }

  async #create(ordinal: number): Promise<void> {
    const { client, events } = this.#context;
    const { name = "", namespace = "" } = this.#set.metadata;
    const revision = this.#revisionFor(ordinal);
    if (revision === undefined) return;
    const pod = podOfSet(this.#set, templateOf(revision), revision.metadata.name ?? "", ordinal);
    const words = `create Pod ${pod.metadata.name} in StatefulSet ${name}`;
    await makeClaims(this.#context, this.#set, pod.metadata.name ?? "");
    try {
      const created = await client.create({ ...PODS, namespace }, pod);
      events.record(this.#set, "Normal", "SuccessfulCreate", `${words} successful`);
      await ownClaims(this.#context, this.#set, created, false);
    } catch (error) {
      if (!isNamespaceTerminating(error)) {
        events.record(this.#set, "Warning", "FailedCreate", `${words} failed error: ${errorMessage(error)}`);
      }
      throw error;
    }
  }

  async #delete(pod: Pod): Promise<void> {
    const { client, events } = this.#context;
    const { name = "", uid = "" } = pod.metadata;
    const words = `delete Pod ${name} in StatefulSet ${this.#set.metadata.name}`;
    try {
      await client.delete(refOf(PODS, pod), { preconditions: { uid } });
      events.record(this.#set, "Normal", "SuccessfulDelete", `${words} successful`);
    } catch (error) {
      if (error instanceof NotFound) return;
      events.record(this.#set, "Warning", "FailedDelete", `${words} failed error: ${errorMessage(error)}`);
      throw error;
    }
  }

  /** Deletes old members, the last ordinal first, as many at once as may be away. */
  async #update(byOrdinal: ReadonlyMap<number | undefined, Pod>): Promise<void> {
    const { partition = 0, maxUnavailable } = this.#set.spec?.updateStrategy?.rollingUpdate ?? {};
    if (maxUnavailable === undefined) return await this.#updateOne(byOrdinal, partition);
    const most = Math.max(1, scaledValue(maxUnavailable, this.#replicas, "up"));
    let away = 0;
    for (let at = this.#first; at < this.#first + this.#replicas; at++) {
      const pod = byOrdinal.get(at);
      if (pod === undefined || !this.#isAvailable(pod)) away++;
    }
    for (let at = this.#first + this.#replicas - 1; at >= this.#first + partition; at--) {
      const pod = byOrdinal.get(at);
      const works = pod !== undefined && this.#isAvailable(pod);
      if (pod !== undefined && this.#isOld(pod)) {
        if (works && away >= most) return;
        await this.#delete(pod);
        if (works) away++;
        if (away >= most) return;
      } else if (!works && away >= most) return;
    }
  }

  /** The one that was updated has to work before the next: those that do not work below it keep nobody waiting. */
  async #updateOne(byOrdinal: ReadonlyMap<number | undefined, Pod>, partition: number): Promise<void> {
    for (let at = this.#first + this.#replicas - 1; at >= this.#first + partition; at--) {
      const pod = byOrdinal.get(at);
      if (pod === undefined) return;
      if (this.#isOld(pod)) return await this.#delete(pod);
      if (!this.#isAvailable(pod)) return;
    }
  }

  #isOld(pod: Pod): boolean {
    return revisionLabelOf(pod) !== this.#newest?.metadata.name && !isTerminating(pod);
  }

  async #writeStatus(pods: readonly Pod[], collisionCount: number): Promise<void> {
    const { client, clock, queue } = this.#context;
    const set = this.#set;
    const next = nextAvailable(pods, set.spec?.minReadySeconds ?? 0, clock.now());
    if (next !== undefined) queue.addAfter(keyOf(set), next);
    const status = this.#count(pods, collisionCount);
    if (deepEqual(withoutZeros(status), withoutZeros(set.status ?? {}))) return;
    await writeStatus(client, refOf(STATEFUL_SETS, set), set, status);
  }

  #count(pods: readonly Pod[], collisionCount: number): StatefulSetStatus {
    const { minReadySeconds = 0 } = this.#set.spec ?? {};
    const live = pods.filter((pod) => !isFinished(pod));
    const ready = live.filter(isRunning);
    const of = (revision: ControllerRevision | undefined): number =>
      live.filter((pod) => !isTerminating(pod) && revisionLabelOf(pod) === revision?.metadata.name).length;
    const [current, newest] = [this.#current?.metadata.name ?? "", this.#newest?.metadata.name ?? ""];
    const status = {
      observedGeneration: this.#set.metadata.generation ?? 0,
      replicas: pods.length,
      // Also those that are on their way out.
      readyReplicas: ready.length,
      availableReplicas: ready.filter((pod) => untilAvailable(pod, minReadySeconds, this.#context.clock.now()) === 0)
        .length,
      currentReplicas: of(this.#current),
      updatedReplicas: of(this.#newest),
      currentRevision: current,
      updateRevision: newest,
      collisionCount,
      ...(this.#set.status?.conditions === undefined ? {} : { conditions: this.#set.status.conditions }),
    };
    const rolled =
      this.#set.spec?.updateStrategy?.type !== "OnDelete" &&
      status.updatedReplicas === status.replicas &&
      status.readyReplicas === status.replicas &&
      status.replicas === this.#replicas;
    return rolled ? { ...status, currentReplicas: status.updatedReplicas, currentRevision: newest } : status;
  }
}

const isRunning = (pod: Pod): boolean => pod.status?.phase === "Running" && isReady(pod);

/** Numbers that are zero and absent ones are the same. */
function withoutZeros(status: StatefulSetStatus): StatefulSetStatus {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0)) as StatefulSetStatus;
}
