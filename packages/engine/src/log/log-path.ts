import type { EngineContext } from "../context.ts";

/** Where a container's log is written. */
export function logPathOf({ containers }: EngineContext, id: string): string {
  return containers.get(id)?.hostConfig.logPath ?? `${containers.directoryOf(id)}/container.log`;
}
