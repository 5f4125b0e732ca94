import type { EngineApi } from "@boxship/engine";

/** Names of the volumes that a container, running or not, has. */
export async function usedVolumes(engine: EngineApi): Promise<ReadonlySet<string>> {
  const containers = await engine.containers.list({ all: true });
  const names = containers.flatMap(({ mounts }) => mounts.map((mount) => mount.name ?? ""));
  return new Set(names.filter((name) => name !== ""));
}
