import { type KubeObject, type LabelSelector, matchesLabels } from "@boxship/api";
import { NotFound } from "@boxship/base";
import type { Resource } from "@boxship/client";
import type { ControllerClient } from "../contract.ts";
import { controllerOf, controllerReference } from "./owners.ts";
import { refOf } from "./resources.ts";

export interface ClaimOptions<T> {
  readonly client: ControllerClient;
  /** Who claims. */
  readonly owner: KubeObject;
  /** Where the owner is kept: it is read there before anything is adopted. */
  readonly ownerResource: Resource;
  /** What is claimed. */
  readonly resource: Resource;
  readonly selector: LabelSelector;
  /** Everything that the owner controls, and everything of its namespace that nobody does. */
  readonly candidates: Iterable<T>;
  /** Written into what is adopted. @default none */
  readonly finalizer?: string;
  /** Of what is claimed: nothing else is adopted. @default all */
  readonly adoptable?: (object: T) => boolean;
  /** Besides the selector: what is none is released. @default all */
  readonly member?: (object: T) => boolean;
}

/**
 * The objects that belong to an owner: those that it controls and that its selector matches. Ones that nobody controls
 * are adopted, and ones that it controls and no longer selects are released. What goes meanwhile is left out.
 */
export async function claimObjects<T extends KubeObject>(options: ClaimOptions<T>): Promise<readonly T[]> {
  const { owner, selector, candidates, adoptable = () => true, member = () => true } = options;
  const claimed: T[] = [];
  const ownerLives = owner.metadata.deletionTimestamp === undefined;
  for (const object of candidates) {
    const controller = controllerOf(object);
    const matches = matchesLabels(selector, object.metadata.labels) && member(object);
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (matches) claimed.push(object);
      else if (ownerLives) await release(options, object);
    } else if (matches && ownerLives && adoptable(object) && object.metadata.deletionTimestamp === undefined) {
      const adopted = await adopt(options, object);
      if (adopted !== undefined) claimed.push(adopted);
    }
  }
  return claimed;
}

async function adopt<T extends KubeObject>(
  { client, owner, ownerResource, resource, finalizer }: ClaimOptions<T>,
  object: T,
): Promise<T | undefined> {
  const fresh = await client.get(refOf(ownerResource, owner));
  if (fresh.metadata.uid !== owner.metadata.uid || fresh.metadata.deletionTimestamp !== undefined) return undefined;
  const { uid, ownerReferences = [], finalizers = [] } = object.metadata;
  try {
    return await client.patch<T>(refOf(resource, object), "merge", {
      metadata: {
        uid,
        resourceVersion: object.metadata.resourceVersion,
        ownerReferences: [...ownerReferences, controllerReference(owner)],
        ...(finalizer === undefined || finalizers.includes(finalizer)
          ? {}
          : { finalizers: [...finalizers, finalizer] }),
      },
    });
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}

async function release<T extends KubeObject>(
  { client, owner, resource, finalizer }: ClaimOptions<T>,
  object: T,
): Promise<void> {
  const { uid, resourceVersion, ownerReferences = [], finalizers = [] } = object.metadata;
  try {
    await client.patch(refOf(resource, object), "merge", {
      metadata: {
        uid,
        resourceVersion,
        ownerReferences: ownerReferences.filter((one) => one.uid !== owner.metadata.uid),
        ...(finalizer === undefined ? {} : { finalizers: finalizers.filter((one) => one !== finalizer) }),
      },
    });
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
}

/** What {@link claimObjects} looks through: what the owner controls, and what nobody of its namespace does. */
export function candidatesFor<T extends KubeObject>(
  informer: { find(index: string, value: string): readonly T[] },
  { metadata: { uid = "", namespace = "" } }: KubeObject,
): readonly T[] {
  const controlled = informer.find("controller", uid);
  const free = informer.find("orphan", namespace);
  return [...controlled, ...free];
}
