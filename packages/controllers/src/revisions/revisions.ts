import type { LabelSelectorObject } from "@boxship/api";
import { deepEqual, type JsonObject, type KubeObject, selectorOf } from "@boxship/api";
import { AlreadyExists, NotFound } from "@boxship/base";
import type { Resource } from "@boxship/client";
import type { ControllerContext } from "../contract.ts";
import { candidatesFor, claimObjects } from "../shared/claim.ts";
import { controllerReference, isControlledBy } from "../shared/owners.ts";
import { CONTROLLER_REVISIONS, refOf } from "../shared/resources.ts";
import { templateHash } from "../shared/template-hash.ts";
import type { PodTemplate } from "../types/pod.ts";
import type { ControllerRevision } from "../types/workloads.ts";

const HASH = "controller.kubernetes.io/hash";

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

/** The hash alone, without the name of the set. */
export const hashOf = ({ metadata }: ControllerRevision): string => metadata.labels?.[HASH] ?? "";

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
        name: `${name}-${hash}`,
        namespace,
        labels: { ...set.spec?.template?.metadata?.labels, [HASH]: hash },
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

/** Takes the oldest revisions away that no pod has, beyond the limit. */
export async function cleanUpRevisions(
  { client }: ControllerContext,
  { spec }: Revised,
  revisions: readonly ControllerRevision[],
  isLive: (revision: ControllerRevision) => boolean,
): Promise<void> {
  const idle = revisions.filter((revision) => !isLive(revision));
  for (const revision of idle.slice(0, Math.max(0, idle.length - (spec?.revisionHistoryLimit ?? 10)))) {
    await client.delete(refOf(CONTROLLER_REVISIONS, revision)).catch((error: unknown) => {
      if (!(error instanceof NotFound)) throw error;
    });
  }
}
