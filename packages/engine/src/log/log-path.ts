import type { EngineContext } from "../context.ts";

/** Where a container's log is written. */
export function logPathOf(context: EngineContext, id: string): string {
  return `${context.containers.directoryOf(id)}/container.log`;
}
