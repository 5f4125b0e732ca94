import { Conflict, NotFound } from "@boxship/base";
import type { EngineContext } from "../context.ts";
import type { ContainerView } from "../engine-api.ts";
import { removeContainer } from "./container-remove.ts";
import { listContainers } from "./container-view.ts";
import { isAlive } from "./state.ts";

/** Removes all containers that do not run and pass the filter. `reclaimed` is in bytes. */
export async function pruneContainers(
  context: EngineContext,
  filter: (container: ContainerView) => boolean,
): Promise<{ readonly removed: readonly string[]; readonly reclaimed: number }> {
  const removed: string[] = [];
  let reclaimed = 0;
  for (const view of await listContainers(context, { all: true, size: true })) {
    if (!isStopped(view) || !filter(view)) continue;
    try {
      await removeContainer(context, view.id);
    } catch (error) {
      // Started or removed by someone else meanwhile: no longer ours to prune.
      if (error instanceof Conflict || error instanceof NotFound) continue;
      throw error;
    }
    removed.push(view.id);
    reclaimed += view.size?.writable ?? 0;
  }
  context.events.publish("container", "prune", "", { reclaimed: String(reclaimed) });
  return { removed, reclaimed };
}

function isStopped({ state }: ContainerView): boolean {
  return !isAlive(state) && state.status !== "restarting" && state.status !== "removing";
}
