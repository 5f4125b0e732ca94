import { text } from "../../http/query.ts";
import { created, defineRoute } from "../../http/route.ts";
import { decodeCreateContainer } from "../../wire/create-container.ts";

export const containerCreate = defineRoute({
  method: "POST",
  path: "/containers/create",
  doc: {
    state: "differs",
    note: "fields that cannot be honoured (DeviceRequests, Cgroup, Windows' own) are refused by name with 501 instead of being ignored; a wrong type is a 400",
  },
  query: (query) => ({ name: text(query, "name")?.replace(/^\//, ""), platform: text(query, "platform") }),
  body: (body, context) => ({ ...decodeCreateContainer(body, context), warnings: context.warnings }),
  handle: async ({ engine }, { query: { name, platform }, body: { warnings, ...request } }) => {
    const result = await engine.containers.create({
      ...request,
      ...(name === undefined ? {} : { name }),
      ...(platform === undefined ? {} : { platform }),
    });
    return created({ Id: result.id, Warnings: [...warnings, ...result.warnings] });
  },
});
