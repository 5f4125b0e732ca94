import type { KindHooks } from "../kind/kind.ts";
import { qualified } from "../status/failures.ts";
import { ADMISSION_HOOKS } from "./admission-hooks.ts";
import { CLUSTER_HOOKS } from "./cluster-hooks.ts";
import { WORKLOAD_HOOKS } from "./workload-hooks.ts";

const NONE: KindHooks = {};

/** The hooks of a built-in kind; empty where its schema says all there is. */
export function hooksOf({ group, resource }: { readonly group: string; readonly resource: string }): KindHooks {
  const name = qualified({ group, resource });
  return WORKLOAD_HOOKS[name] ?? ADMISSION_HOOKS[name] ?? CLUSTER_HOOKS[name] ?? NONE;
}
