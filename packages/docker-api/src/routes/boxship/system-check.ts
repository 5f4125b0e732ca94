import { defineRoute, ok } from "../../http/route.ts";

export const systemCheck = defineRoute({
  method: "POST",
  path: "/boxship/system/check",
  doc: {
    state: "works",
    note: "extension: reads the whole content store and the registry's, and tells what is wrong; `repair=1` mends it",
  },
  query: (query) => query.get("repair") === "1",
  handle: async ({ engine, context: { checkRegistry } }, { query: repair }) => {
    // The registry first: what it removes, the engine's own check must not find.
    const registry = await checkRegistry?.({ repair });
    const store = await engine.system.check({ repair });
    return ok({ store, ...(registry !== undefined && { registry }) });
  },
});
