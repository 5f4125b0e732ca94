import type { KindHooks } from "../kind/kind.ts";
import { qualified } from "../status/failures.ts";

const NONE: KindHooks = {};

const HOOKS: Readonly<Record<string, KindHooks>> = {};

/** The hooks of a built-in kind; empty where its schema says all there is. */
export function hooksOf({ group, resource }: { readonly group: string; readonly resource: string }): KindHooks {
  return HOOKS[qualified({ group, resource })] ?? NONE;
}
