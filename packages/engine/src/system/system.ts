import type { EngineContext } from "../context.ts";
import type { SystemApi } from "../engine-api.ts";
import { checkStore } from "./check-store.ts";
import { engineInfo } from "./system-info.ts";

/** What concerns the engine as a whole. */
export function systemApi(context: EngineContext): SystemApi {
  return {
    info: () => engineInfo(context),
    check: ({ repair }) => checkStore(context, repair),
    layersSize: async () => context.snapshotter.layersSize(),
    login: (registry, credentials) => context.images.login(registry, credentials),
  };
}
