import { deepCopy, deepEqual } from "@boxship/api";
import { AlreadyExists, errorMessage, NotFound } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerContext } from "../contract.ts";
import { nameWithHash } from "../shared/long-names.ts";
import { controllerReference, isControlledBy } from "../shared/owners.ts";
import { isNamespaceTerminating } from "../shared/pod-control.ts";
import { byAge, isTerminating } from "../shared/pods.ts";
import { DEPLOYMENTS, REPLICA_SETS, refOf } from "../shared/resources.ts";
import { templateHash } from "../shared/template-hash.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Deployment, DeploymentStatus, ReplicaSet } from "../types/workloads.ts";
import { annotationsOfNewest, REVISION, revisionOf, withReplicas } from "./annotations.ts";
import { HASH_LABEL, isActiveSet, limitsOf, newestSet, replicasForNewest, replicasOf } from "./replicas.ts";
import {
  countStatus,
  hasDeadline,
  progressOf,
  rolloutStatus,
  sameStatus,
  setCondition,
  untilDeadline,
} from "./status.ts";

/** What one look at a Deployment works with: the Deployment, its sets as they are now, and how they are changed. */
export class Rollout {
  readonly context: ControllerContext;
  deployment: Deployment;
  /** All of the Deployment's. */
  #sets: ReplicaSet[];

  constructor(context: ControllerContext, deployment: Deployment, sets: readonly ReplicaSet[]) {
    this.context = context;
    this.deployment = deployment;
    this.#sets = [...sets];
  }

  get sets(): readonly ReplicaSet[] {
    return this.#sets;
  }

  get newest(): ReplicaSet | undefined {
    return newestSet(this.deployment, this.#sets);
  }

  /** All but the newest, oldest first. */
  get old(): readonly ReplicaSet[] {
    const { newest } = this;
    return this.#sets.filter((set) => set !== newest).sort(byAge);
  }

  get #now(): number {
    return this.context.clock.now();
  }

  #replace(set: ReplicaSet): ReplicaSet {
    const at = this.#sets.findIndex(({ metadata }) => metadata.uid === set.metadata.uid);
    if (at < 0) this.#sets.push(set);
    else this.#sets[at] = set;
    return set;
  }

  /** Scales a set and tells of it; with `tell` false only what the set says about the Deployment is brought up to date. */
  async scale(set: ReplicaSet, replicas: number): Promise<boolean> {
    const desired = replicasOf(this.deployment);
    const annotations = withReplicas(set, desired, desired + limitsOf(this.deployment).surge);
    const from = replicasOf(set);
    if (from === replicas && deepEqual(annotations, set.metadata.annotations ?? {})) return false;
    const copy = deepCopy(set);
    copy.metadata.annotations = annotations;
    copy.spec = { ...copy.spec, replicas };
    this.#replace(await this.context.client.update(refOf(REPLICA_SETS, set), copy));
    if (from === replicas) return false;
    const direction = replicas > from ? "up" : "down";
    const message = `Scaled ${direction} replica set ${set.metadata.name} from ${from} to ${replicas}`;
    this.context.events.record(this.deployment, "Normal", "ScalingReplicaSet", message);
    return true;
  }

  /** The set with the Deployment's template, up to date in what it says about the Deployment; made where asked for. */
  async settleNewest(create: boolean): Promise<ReplicaSet | undefined> {
    const present = this.newest;
    const others = this.#sets.filter((set) => set !== present);
    const revision = Math.max(0, ...others.map(revisionOf)) + 1;
    if (present !== undefined) return await this.#updateNewest(present, revision);
    return create ? await this.#createNewest(revision) : undefined;
  }

  async #updateNewest(set: ReplicaSet, revision: number): Promise<ReplicaSet> {
    const annotations = annotationsOfNewest(this.deployment, set, revision);
    const minReadySeconds = this.deployment.spec?.minReadySeconds ?? 0;
    const sameSeconds = (set.spec?.minReadySeconds ?? 0) === minReadySeconds;
    if (!deepEqual(annotations, set.metadata.annotations ?? {}) || !sameSeconds) {
      const copy = deepCopy(set);
      copy.metadata.annotations = annotations;
      copy.spec = { ...copy.spec, minReadySeconds };
      return this.#replace(await this.context.client.update(refOf(REPLICA_SETS, set), copy));
    }
    const missing = hasDeadline(this.deployment) && progressOf(this.deployment.status) === undefined;
    const found = { reason: "FoundNewReplicaSet", message: `Found new replica set "${set.metadata.name}"` };
    await this.#tellRevision(annotations[REVISION] ?? "", missing ? found : undefined);
    return set;
  }

  async #createNewest(revision: number): Promise<ReplicaSet | undefined> {
    const set = this.#describeNewest(revision);
    const { name = "", namespace = "" } = set.metadata;
    let created: ReplicaSet;
    try {
      created = await this.context.client.create({ ...REPLICA_SETS, namespace }, set);
    } catch (error) {
      return await this.#couldNotCreate(set, error);
    }
    this.#replace(created);
    const replicas = replicasOf(created);
    if (replicas > 0) {
      const message = `Scaled up replica set ${name} from 0 to ${replicas}`;
      this.context.events.record(this.deployment, "Normal", "ScalingReplicaSet", message);
    }
    const news = { reason: "NewReplicaSetCreated", message: `Created new replica set "${name}"` };
    await this.#tellRevision(String(revision), hasDeadline(this.deployment) ? news : undefined);
    return created;
  }

  #describeNewest(revision: number): ReplicaSet {
    const { metadata, spec = {}, status } = this.deployment;
    const template = deepCopy(spec.template ?? {});
    const hash = templateHash(template, status?.collisionCount ?? 0);
    const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
    template.metadata = { ...template.metadata, labels };
    const selector = deepCopy(spec.selector ?? {});
    selector.matchLabels = { ...selector.matchLabels, [HASH_LABEL]: hash };
    const replicas = replicasForNewest(this.deployment, this.#sets, undefined);
    const annotations = annotationsOfNewest(this.deployment, undefined, revision);
    const desired = replicasOf(this.deployment);
    return {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: {
        name: nameWithHash(metadata.name ?? "", hash),
        namespace: metadata.namespace ?? "",
        labels: { ...labels },
        annotations: withReplicas({ metadata: { annotations } }, desired, desired + limitsOf(this.deployment).surge),
        ownerReferences: [controllerReference(this.deployment)],
      },
      spec: { replicas, minReadySeconds: spec.minReadySeconds ?? 0, selector, template },
    };
  }

  /** @throws whatever is to be tried again */
  async #couldNotCreate(set: ReplicaSet, error: unknown): Promise<ReplicaSet | undefined> {
    if (error instanceof AlreadyExists) return await this.#collided(set, error);
    if (isNamespaceTerminating(error)) return undefined;
    const message = `Failed to create new replica set "${set.metadata.name}": ${errorMessage(error)}`;
    this.context.events.record(this.deployment, "Warning", "ReplicaSetCreateError", message);
    if (hasDeadline(this.deployment)) {
      const condition = { type: "Progressing", status: "False", reason: "ReplicaSetCreateError", message };
      const { conditions } = this.deployment.status ?? {};
      await this.#writeStatus({
        ...this.deployment.status,
        conditions: setCondition(conditions, condition, this.#now),
      });
    }
    throw error;
  }

  async #collided(set: ReplicaSet, error: AlreadyExists): Promise<ReplicaSet> {
    const present = await this.context.client.get<ReplicaSet>(refOf(REPLICA_SETS, set));
    const same = newestSet(this.deployment, [present]) !== undefined;
    if (isControlledBy(present, this.deployment) && same) return this.#replace(present);
    // Another template of the same hash: the next one is counted in.
    const collisionCount = (this.deployment.status?.collisionCount ?? 0) + 1;
    await this.#writeStatus({ ...this.deployment.status, collisionCount });
    throw error;
  }

  /** The Deployment says which revision it is, and what happened to its newest set. */
  async #tellRevision(
    revision: string,
    news: { readonly reason: string; readonly message: string } | undefined,
  ): Promise<void> {
    const { metadata, status } = this.deployment;
    const known = metadata.annotations?.[REVISION] === revision;
    const condition = { type: "Progressing", status: "True", ...news };
    const conditions = news === undefined ? status?.conditions : setCondition(status?.conditions, condition, this.#now);
    if (known && deepEqual(conditions, status?.conditions)) return;
    const copy = deepCopy(this.deployment);
    copy.metadata.annotations = { ...metadata.annotations, [REVISION]: revision };
    await this.#writeStatus({ ...status, ...(conditions === undefined ? {} : { conditions }) }, copy);
  }

  async #writeStatus(status: DeploymentStatus, deployment = this.deployment): Promise<void> {
    const ref = refOf(DEPLOYMENTS, deployment);
    this.deployment = await writeStatus(this.context.client, ref, deployment, status);
  }

  /** Brings the numbers up to date, without a word about progress. */
  async tellNumbers(): Promise<void> {
    const status = countStatus(this.deployment, this.#sets, this.newest, this.#now);
    if (!sameStatus(status, this.deployment.status)) await this.#writeStatus(status);
  }

  /** Brings numbers and conditions up to date, and comes back when the deadline is over. */
  async tellProgress(): Promise<void> {
    const status = rolloutStatus(this.deployment, this.#sets, this.newest, this.#now);
    if (!sameStatus(status, this.deployment.status)) {
      await this.#writeStatus(status);
    }
    const wait = untilDeadline(this.deployment, status, this.#now);
    if (wait !== undefined) this.context.queue.addAfter(keyOf(this.deployment), wait);
  }

  async setProgress(status: "Unknown", reason: string, message: string): Promise<void> {
    const { conditions } = this.deployment.status ?? {};
    const condition = { type: "Progressing", status, reason, message };
    await this.#writeStatus({ ...this.deployment.status, conditions: setCondition(conditions, condition, this.#now) });
  }

  /** Takes the oldest of the sets away that are kept for rollbacks only. */
  async cleanUp(): Promise<void> {
    const limit = this.deployment.spec?.revisionHistoryLimit;
    if (limit === undefined) return;
    const kept = this.old.filter((set) => !isTerminating(set));
    const doomed = [...kept]
      .sort((left, right) => revisionOf(left) - revisionOf(right))
      .slice(0, Math.max(0, kept.length - limit));
    for (const set of doomed) {
      const { generation = 0 } = set.metadata;
      const { replicas = 0, observedGeneration = 0 } = set.status ?? {};
      if (replicas > 0 || isActiveSet(set) || generation > observedGeneration) continue;
      await this.context.client.delete(refOf(REPLICA_SETS, set)).catch((error: unknown) => {
        if (!(error instanceof NotFound)) throw error;
      });
    }
  }
}
