import type { Kind } from "@boxship/api";
import { applyDefaults, type KubeObject } from "@boxship/api";

/** Fills in all defaults of an object. */
export function defaultObject(kind: Kind, object: KubeObject): void {
  applyDefaults(kind.schema, object);
  kind.hooks.applyDefaults?.(object);
}
