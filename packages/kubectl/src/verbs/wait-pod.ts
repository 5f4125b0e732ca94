import { type KubeObject, notFound } from "@boxship/api";
import { PlainRefusal } from "../failure.ts";
import type { ObjectPlace } from "../request/objects.ts";
import { collectionPathOf } from "../resource/discovery.ts";
import type { Session } from "../session.ts";

/**
 * Waits until a pod is as it should be.
 *
 * @param timeout milliseconds; 0 for ever
 * @throws NotFound when it is deleted, PlainRefusal when it takes too long
 */
export async function waitForPod(
  session: Session,
  place: ObjectPlace,
  isDone: (pod: KubeObject) => boolean,
  timeout = 0,
): Promise<KubeObject> {
  const { mapping, namespace, name } = place;
  const api = await session.api();
  const late = timeout > 0 ? AbortSignal.timeout(timeout) : undefined;
  const signals = [late, session.io.signal].filter((one) => one !== undefined);
  const signal = signals.length === 0 ? undefined : AbortSignal.any(signals);
  const query = { fieldSelector: `metadata.name=${name}` };
  try {
    for (;;) {
      signal?.throwIfAborted();
      for await (const { type, object } of api.watch(collectionPathOf(mapping, namespace), { query, signal })) {
        if (type === "DELETED") throw notFound(mapping, "");
        if (type !== "ERROR" && isDone(object as KubeObject)) return object as KubeObject;
      }
    }
  } catch (error) {
    if (signal?.aborted) throw new PlainRefusal("error: timed out waiting for the condition", 1);
    throw error;
  }
}
