import { deepEqual, selectorOf } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { enqueueOwners } from "../shared/enqueue-owners.ts";
import { isTerminating } from "../shared/pods.ts";
import { CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS } from "../shared/resources.ts";
import type { DaemonSet, Node } from "../types/sets.ts";
import { DaemonLook } from "./daemon-look.ts";
import { FailedPods } from "./failed-pods.ts";

/** Keeps a pod on every node where one belongs. */
export const daemonSetController: ControllerDefinition = { name: "daemonset-controller", open };

function open(context: ControllerContext): Reconcile {
  const { informers, queue, events } = context;
  const sets = informers.of<DaemonSet>(DAEMON_SETS);
  const failed = new FailedPods();
  for (const resource of [PODS, CONTROLLER_REVISIONS]) {
    enqueueOwners<DaemonSet>({
      queue,
      owners: sets,
      dependents: informers.of(resource),
      selector: ({ spec }) => selectorOf(spec?.selector),
    });
  }
  sets.handle({ deleted: (set) => failed.forget(set) });
  const all = (): void => {
    for (const set of sets.all()) queue.add(keyOf(set));
  };
  informers.of<Node>(NODES).handle({
    added: all,
    // Not each time that a node says that it is there.
    updated: (node, before) => {
      const same = deepEqual(node.metadata.labels, before.metadata.labels) && deepEqual(node.spec, before.spec);
      if (!same) all();
    },
    deleted: all,
  });
  return async (key) => {
    const set = sets.get(key);
    // What is on its way out is left to the garbage collector.
    if (set === undefined || isTerminating(set)) return;
    if ((selectorOf(set.spec?.selector) ?? []).length > 0) await new DaemonLook(context, set, failed).run();
    else {
      const message = "This daemon set is selecting all pods. A non-empty selector is required.";
      events.record(set, "Warning", "SelectingAll", message);
    }
  };
}
