import { Conflict, NotFound } from "@boxship/base";
import { type ContainerView, isAlive } from "@boxship/engine";
import { Filters } from "../../http/filters.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { untilTime } from "../../http/until.ts";

export const containerPrune = defineRoute({
  method: "POST",
  path: "/containers/prune",
  doc: { state: "works" },
  query: (query) => Filters.from(query, ["label", "label!", "until"]),
  handle: async ({ engine, context }, { query: filters }) => {
    const until = untilTime(filters, context.clock.now());
    const listed = await engine.containers.list({ all: true, size: true });
    const removed: string[] = [];
    let reclaimed = 0;
    for (const view of listed) {
      if (!isStopped(view) || !filters.labels(view.effective.labels) || (until !== undefined && view.created >= until))
        continue;
      try {
        await engine.containers.remove(view.id);
      } catch (error) {
        // Started or removed by someone else meanwhile: no longer ours to prune.
        if (error instanceof Conflict || error instanceof NotFound) continue;
        throw error;
      }
      removed.push(view.id);
      reclaimed += view.size?.writable ?? 0;
    }
    return ok({ ContainersDeleted: removed.length === 0 ? null : removed, SpaceReclaimed: reclaimed });
  },
});

function isStopped({ state }: ContainerView): boolean {
  return !isAlive(state) && state.status !== "restarting" && state.status !== "removing";
}
