import type { KindHooks } from "../kind/kind.ts";
import type { GroupVersion } from "../object/kube-object.ts";
import { qualified } from "../status/failures.ts";
import { ADMISSION_HOOKS } from "./admission-hooks.ts";
import { CLUSTER_HOOKS, oldAutoscaler } from "./cluster-hooks.ts";
import { coreEvent, event } from "./event-hooks.ts";
import { WORKLOAD_HOOKS } from "./workload-hooks.ts";

const NONE: KindHooks = {};

/** Of kinds that have others in another version. */
const VERSION_HOOKS: Readonly<Record<string, KindHooks>> = {
  "events/v1": coreEvent,
  "events.events.k8s.io/v1": event,
  "horizontalpodautoscalers.autoscaling/v1": oldAutoscaler,
};

/** The hooks of a built-in kind; empty where its schema says all there is. */
export function hooksOf({ group, version, resource }: GroupVersion & { readonly resource: string }): KindHooks {
  const name = qualified({ group, resource });
  return (
    VERSION_HOOKS[`${name}/${version}`] ?? WORKLOAD_HOOKS[name] ?? ADMISSION_HOOKS[name] ?? CLUSTER_HOOKS[name] ?? NONE
  );
}
