import type { Surroundings } from "./command.ts";
import { ReleaseStorage } from "./release/storage.ts";

/** Releases of the namespace that was chosen. @param all of every namespace */
export async function openStorage(surroundings: Surroundings, all = false): Promise<ReleaseStorage> {
  return await ReleaseStorage.open(await surroundings.cluster(), all ? "" : await surroundings.namespace());
}
