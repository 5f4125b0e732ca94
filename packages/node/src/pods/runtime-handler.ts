import { textAt } from "@boxship/api";
import { NotFound } from "@boxship/base";
import type { ApiClient } from "@boxship/client";
import type { Cri } from "@boxship/cri";
import { everyContainer, type Pod } from "../types.ts";
import { asksForRecursive } from "../volumes/recursive-read-only.ts";

const CLASSES = { group: "node.k8s.io", version: "v1", resource: "runtimeclasses" } as const;

/**
 * What the engine calls the runtime of a pod's class; empty for the engine's own choice.
 *
 * @throws NotFound where the class is not there any more
 */
export async function runtimeHandlerOf(client: Pick<ApiClient, "get">, { spec }: Pod): Promise<string> {
  const { runtimeClassName: name = "" } = spec;
  if (name === "") return "";
  try {
    return textAt(await client.get({ ...CLASSES, name }), "handler");
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    const subject = { kind: "RuntimeClass", name };
    throw new NotFound(`runtimeclass.node.k8s.io "${name}" not found`, { cause: error, subject });
  }
}

/** What a runtime can do, by what the engine calls it; undefined where the engine does not say. */
export async function runtimeFeatures(cri: Pick<Cri, "status">, handler: string) {
  const { runtimeHandlers } = await cri.status({});
  return runtimeHandlers.find(({ name }) => name === handler)?.features;
}

/** Whether one of a pod's mounts depends on what {@link makesRecursiveReadOnly} says. */
export const asksForRecursiveMounts = (pod: Pod): boolean =>
  everyContainer(pod).some(({ volumeMounts = [] }) => volumeMounts.some(asksForRecursive));

/** Whether a pod's runtime makes all read-only that is below a mount. */
export async function makesRecursiveReadOnly(
  { client, cri }: { readonly client: Pick<ApiClient, "get">; readonly cri: Pick<Cri, "status"> },
  pod: Pod,
): Promise<boolean> {
  const features = await runtimeFeatures(cri, await runtimeHandlerOf(client, pod));
  return features?.recursiveReadOnlyMounts === true;
}
