import { textAt } from "@boxship/api";
import { PlainRefusal } from "../failure.ts";
import { findObject, type ObjectPlace } from "../request/objects.ts";
import { collectionPathOf } from "../resource/discovery.ts";
import type { Session } from "../session.ts";

export interface Gone extends ObjectPlace {
  /** Another object of the same name counts as its end. @default any object counts */
  readonly uid?: string;
}

/** Waits until objects are no more. @param timeout milliseconds; 0 for ever @throws PlainRefusal */
export async function waitUntilGone(session: Session, places: readonly Gone[], timeout: number): Promise<void> {
  const late = timeout > 0 ? AbortSignal.timeout(timeout) : undefined;
  for (const place of places) {
    if (!(await waitForOne(session, place, late))) {
      throw new PlainRefusal(`error: timed out waiting for the condition on ${place.mapping.resource}/${place.name}`);
    }
  }
}

/** @returns whether it went in time */
export async function waitForOne(session: Session, place: Gone, late: AbortSignal | undefined): Promise<boolean> {
  const { mapping, namespace, name, uid } = place;
  const api = await session.api();
  const isSame = (found: string): boolean => uid === undefined || uid === "" || found === uid;
  for (;;) {
    if (late?.aborted) return false;
    const found = await findObject(session, place);
    if (found === undefined || !isSame(textAt(found, "metadata", "uid"))) return true;
    const query = {
      fieldSelector: `metadata.name=${name}`,
      resourceVersion: textAt(found, "metadata", "resourceVersion"),
    };
    const signals = [late, session.io.signal].filter((one) => one !== undefined);
    const signal = signals.length === 0 ? undefined : AbortSignal.any(signals);
    try {
      for await (const { type, object } of api.watch(collectionPathOf(mapping, namespace), { query, signal })) {
        if (type === "DELETED" && isSame(textAt(object, "metadata", "uid"))) return true;
      }
    } catch (error) {
      if (!late?.aborted) throw error;
    }
  }
}
