import { defineRoute, ok } from "../../http/route.ts";

export const boxshipPing = defineRoute({
  method: "GET",
  path: "/boxship/ping",
  doc: { state: "works", note: "extension: which daemon this is" },
  handle: async ({ engine, context: { info, instance } }) => {
    const version = info?.version ?? (await engine.system.info()).version;
    return ok({
      Version: version,
      ...(instance === undefined
        ? {}
        : { Name: instance.name, Root: instance.root, RunDir: instance.runDir, Pid: instance.pid }),
    });
  },
});
