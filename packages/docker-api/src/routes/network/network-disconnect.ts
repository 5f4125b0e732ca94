import { InvalidArgument } from "@boxship/base";
import { defineRoute } from "../../http/route.ts";
import { boolean, decodeBody, field, object, string } from "../../wire/codec.ts";

interface Disconnect {
  readonly container: string;
  readonly force?: boolean;
}

const disconnect = object<Disconnect>("DisconnectOptions", {
  container: field("Container", string, { absent: "" }),
  force: field("Force", boolean),
});

export const networkDisconnect = defineRoute({
  method: "POST",
  path: "/networks/{id}/disconnect",
  doc: { state: "works" },
  body: (body, context) => {
    const decoded = decodeBody(disconnect, body, context);
    if (decoded.container === "") throw new InvalidArgument("field Container must name a container");
    return decoded;
  },
  handle: async (call, { body }) => {
    await call.engine.networks.disconnect(call.param("id"), body.container, body.force);
    return { status: 200 };
  },
});
