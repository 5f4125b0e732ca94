import type { LabelSelectorObject } from "@boxship/api";
import { deepEqual, type JsonObject, type KubeObject, selectorOf } from "@boxship/api";
import { AlreadyExists, NotFound } from "@boxship/base";
import type { Resource } from "@boxship/client";
import type { ControllerContext } from "../contract.ts";
import { candidatesFor, claimObjects } from "../shared/claim.ts";
import { nameWithHash } from "../shared/long-names.ts";
import { controllerReference, isControlledBy } from "../shared/owners.ts";
import { isTerminating } from "../shared/pods.ts";
import { CONTROLLER_REVISIONS, refOf } from "../shared/resources.ts";
import { templateHash } from "../shared/template-hash.ts";
import type { PodTemplate } from "../types/pod.ts";
import type { ControllerRevision } from "../types/workloads.ts";

const HASH = "controller.kubernetes.io/hash";
/** Where daemon sets keep it, on pods as well. */
export const HASH_OF_PODS = "controller-revision-hash";
const hashLabelOf = ({ kind }: KubeObject): string => (kind === "DaemonSet" ? HASH_OF_PODS : HASH);

/** What has revisions of its template: stateful sets and daemon sets. */
export interface Revised extends KubeObject {
  spec?: { template?: PodTemplate; selector?: LabelSelectorObject; revisionHistoryLimit?: number };
  status?: { collisionCount?: number };
}

/** The template as `kubectl rollout undo` puts it back: a strategic merge patch. */
export function dataOf({ spec }: Revised): JsonObject {
  return { spec: { template: { ...structuredClone(spec?.template ?? {}), $patch: "replace" } } };
}

/** The template that a revision keeps. */
export function templateOf({ data }: ControllerRevision): PodTemplate {
  const spec = (data?.["spec"] ?? {}) as { template?: JsonObject };
  const template = structuredClone(spec.template ?? {});
  delete template["$patch"];
  return template;
}

/** The hash alone, without the name of the set; its name where somebody took the label away. */
export const hashOf = ({ metadata: { labels = {}, name = "" } }: ControllerRevision): string =>
  labels[HASH_OF_PODS] ?? labels[HASH] ?? name;

/** Revisions of a daemon set, each with the label that its pods have. */
export async function labelled(
  { client }: ControllerContext,
  revisions: readonly ControllerRevision[],
): Promise<readonly ControllerRevision[]> {
  return await Promise.all(
    revisions.map(async (one) => {
      if (one.metadata.labels?.[HASH_OF_PODS] !== undefined) return one;
      const metadata = { labels: { [HASH_OF_PODS]: hashOf(one) } };
      return await client.patch<ControllerRevision>(refOf(CONTROLLER_REVISIONS, one), "merge", { metadata });
    }),
  );
}

/** The revisions of a set, the oldest first. */
export async function revisionsOf(
  { client, informers }: ControllerContext,
  set: Revised,
  ownerResource: Resource,
): Promise<readonly ControllerRevision[]> {
  const claimed = await claimObjects<ControllerRevision>({
    client,
    owner: set,
    ownerResource,
    resource: CONTROLLER_REVISIONS,
    selector: selectorOf(set.spec?.selector) ?? [],
    candidates: candidatesFor(informers.of<ControllerRevision>(CONTROLLER_REVISIONS), set),
  });
  return [...claimed].sort((left, right) => (left.revision ?? 0) - (right.revision ?? 0));
}

export interface NewestRevision {
  readonly revision: ControllerRevision;
  readonly collisionCount: number;
}

/** The revision of the set's template as it is now: made, or brought to the end where there was one before. */
export async function newestRevision(
  context: ControllerContext,
  set: Revised,
  revisions: readonly ControllerRevision[],
): Promise<NewestRevision> {
  const { client } = context;
  const data = dataOf(set);
  const next = (revisions.at(-1)?.revision ?? 0) + 1;
  const collisionCount = set.status?.collisionCount ?? 0;
  const same = revisions.findLast((one) => deepEqual(one.data, data));
  if (same !== undefined) {
    if (same === revisions.at(-1)) return { revision: same, collisionCount };
    const revision = await client.patch<ControllerRevision>(refOf(CONTROLLER_REVISIONS, same), "merge", {
      revision: next,
    });
    return { revision, collisionCount };
  }
  const last = revisions.at(-1);
  // What is on its way out makes nothing new: its revisions go before it does.
  if (isTerminating(set) && last !== undefined) return { revision: last, collisionCount };
  return await create(context, set, { data, revision: next, collisions: collisionCount });
}

async function create(
  { client }: ControllerContext,
  set: Revised,
  { data, revision, collisions }: { readonly data: JsonObject; readonly revision: number; readonly collisions: number },
): Promise<NewestRevision> {
  const { name = "", namespace = "" } = set.metadata;
  for (let collisionCount = collisions; ; collisionCount++) {
    const hash = templateHash(data, collisionCount);
    const made: ControllerRevision = {
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: {
        name: nameWithHash(name, hash),
        namespace,
        labels: { ...set.spec?.template?.metadata?.labels, [hashLabelOf(set)]: hash },
        // `kubectl rollout history` shows the cause of the change.
        annotations: { ...set.metadata.annotations },
        ownerReferences: [controllerReference(set)],
      },
      data,
      revision,
    };
    try {
      const created = await client.create({ ...CONTROLLER_REVISIONS, namespace }, made);
      return { revision: created, collisionCount };
    } catch (error) {
      if (!(error instanceof AlreadyExists)) throw error;
      const present = await client.get<ControllerRevision>(refOf(CONTROLLER_REVISIONS, made));
      if (isControlledBy(present, set) && deepEqual(present.data, data)) return { revision: present, collisionCount };
    }
  }
}

export interface CleanUp {
  /** The oldest first. */
  readonly revisions: readonly ControllerRevision[];
  /** How many of them count against the limit. @default those that are not live */
  readonly most?: number;
  readonly isLive: (revision: ControllerRevision) => boolean;
}

/** Takes the oldest revisions away that no pod has, beyond the limit. */
export async function cleanUpRevisions(
  { client }: ControllerContext,
  { spec }: Revised,
  { revisions, most, isLive }: CleanUp,
): Promise<void> {
  const idle = revisions.filter((revision) => !isLive(revision));
  const surplus = Math.max(0, (most ?? idle.length) - (spec?.revisionHistoryLimit ?? 10));
  for (const revision of idle.slice(0, surplus)) {
    await client.delete(refOf(CONTROLLER_REVISIONS, revision)).catch((error: unknown) => {
      if (!(error instanceof NotFound)) throw error;
    });
  }
}
