import type { EngineContext } from "../context.ts";
import type { ExecsApi } from "../engine-api.ts";
import { createExec } from "./exec-create.ts";
import { startExec, startExecDetached } from "./exec-start.ts";
import { execView } from "./exec-table.ts";

/** The exec verbs, bound to one engine. */
export function execsApi(context: EngineContext): ExecsApi {
  return {
    create: async (containerRef, config) => createExec(context, containerRef, config),
    start: (id, options) => startExec(context, id, options),
    startDetached: (id) => startExecDetached(context, id),
    resize: async (id, size) => {
      const { state } = context.execs.get(id);
      if (state.status === "running") state.handle.resize(size);
    },
    get: async (id) => execView(context.execs.get(id)),
  };
}
