import type { Kind } from "@boxship/api";
import type { Timer } from "@boxship/base";
import type { ServerContext } from "../server-context.ts";
import type { Change } from "./change.ts";
import type { ResourceCache } from "./resource-cache.ts";

const AGAIN_MS = 1000;

/** What follows a resource. Neither may throw. */
export interface Follower {
  /** With everything that is there: at first, and again after changes were missed. Changes are told from before it on. */
  begin?(cache: ResourceCache): void;
  /** In the order of revisions. */
  changed(change: Change): void;
}

/**
 * Tells what becomes of a resource's objects until it is disposed of. Where changes were missed it begins again, a second
 * later and as often as the store takes to answer.
 *
 * @throws what the store throws the first time
 */
export async function followResource(
  { objects, clock, logger }: Pick<ServerContext, "objects" | "clock" | "logger">,
  kind: Kind,
  follower: Follower,
): Promise<Disposable> {
  let listening: Disposable | undefined;
  let waiting: Timer | undefined;
  let disposed = false;
  const start = async (): Promise<void> => {
    const cache = await objects.freshCache(kind);
    if (disposed) return;
    listening = cache.listen({ changed: (change) => follower.changed(change), ended: again });
    follower.begin?.(cache);
  };
  const again = (): void => {
    if (disposed) return;
    waiting = clock.setTimeout(AGAIN_MS, () => {
      start().catch((error: unknown) => {
        if (disposed) return;
        logger.warn(`changes of ${kind.resource} are not seen for now`, { error });
        again();
      });
    });
  };
  await start();
  return {
    [Symbol.dispose]() {
      disposed = true;
      listening?.[Symbol.dispose]();
      waiting?.[Symbol.dispose]();
    },
  };
}
