import { InvalidArgument } from "@boxship/base";
import { created, defineRoute } from "../../http/route.ts";
import { decodeBody } from "../../wire/codec.ts";
import { execConfig } from "../../wire/exec-config.ts";

export const execCreate = defineRoute({
  method: "POST",
  path: "/containers/{id}/exec",
  doc: { state: "works" },
  body: (body, context) => {
    const config = decodeBody(execConfig, body, context);
    if (config.cmd.length === 0) throw new InvalidArgument("no exec command specified");
    return config;
  },
  handle: async (call, { body }) => created({ Id: await call.engine.execs.create(call.param("id"), body) }),
});
