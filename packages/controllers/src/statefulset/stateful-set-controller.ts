import { selectorOf } from "@boxship/api";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { enqueueOwners } from "../shared/enqueue-owners.ts";
import { CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from "../shared/resources.ts";
import type { Pod } from "../types/pod.ts";
import type { StatefulSet } from "../types/sets.ts";
import { StatefulLook } from "./stateful-look.ts";

/** Keeps members with names and volumes of their own, in order. */
export const statefulSetController: ControllerDefinition = { name: "statefulset-controller", open };

function open(context: ControllerContext): Reconcile {
  const { informers, queue } = context;
  const sets = informers.of<StatefulSet>(STATEFUL_SETS);
  informers.of(CONTROLLER_REVISIONS);
  informers.of(PERSISTENT_VOLUME_CLAIMS);
  enqueueOwners<StatefulSet>({
    queue,
    owners: sets,
    dependents: informers.of<Pod>(PODS),
    selector: ({ spec }) => selectorOf(spec?.selector),
  });
  return async (key) => {
    const set = sets.get(key);
    const selector = selectorOf(set?.spec?.selector) ?? [];
    if (set !== undefined && selector.length > 0) await new StatefulLook(context, set).run();
  };
}
