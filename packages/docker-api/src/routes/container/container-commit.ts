import { InvalidArgument } from "@boxship/base";
import { flag, text } from "../../http/query.ts";
import { created, defineRoute } from "../../http/route.ts";
import { decodeBody } from "../../wire/codec.ts";
import { containerConfig } from "../../wire/container-config.ts";
import { newName } from "../image/image-create.ts";

export const containerCommit = defineRoute({
  method: "POST",
  path: "/commit",
  doc: {
    state: "works",
    note: "what is there only to mount something on it is left out of the new layer",
    details: { ArgsEscaped: { state: "differs", note: "passed over: it means something on Windows only" } },
  },
  query: (query) => {
    const container = text(query, "container");
    if (container === undefined) throw new InvalidArgument("parameter container must name a container");
    const [reference, comment, author] = [newName(query), text(query, "comment"), text(query, "author")];
    return {
      container,
      options: {
        pause: flag(query, "pause", true),
        changes: query.getAll("changes"),
        ...(reference === undefined ? {} : { reference }),
        ...(comment === undefined ? {} : { comment }),
        ...(author === undefined ? {} : { author }),
      },
    };
  },
  // Without a body, which is what most clients send, the container's own configuration is taken.
  body: (body, context) =>
    body === undefined || body === null ? undefined : decodeBody(containerConfig, body, context),
  handle: async (call, { query: { container, options }, body: config }) => {
    const { id } = await call.engine.containers.commit(
      container,
      config === undefined ? options : { ...options, config },
    );
    return created({ Id: id });
  },
});
