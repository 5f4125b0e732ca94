import { flag } from "../../http/query.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { encodeContainerInspect } from "../../view/container-inspect.ts";

export const containerInspect = defineRoute({
  method: "GET",
  path: "/containers/{id}/json",
  doc: {
    state: "differs",
    note: "`LogPath` names a file in the CRI's format instead of Docker's JSON lines, see `logging.md`",
  },
  query: (query) => ({ size: flag(query, "size") }),
  handle: async (call, { query }) => {
    const [view, defaults] = await Promise.all([
      call.engine.containers.get(call.param("id"), query),
      call.context.defaults(),
    ]);
    return ok(encodeContainerInspect(view, defaults, call.version));
  },
});
