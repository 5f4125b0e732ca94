import { InvalidArgument } from "@boxship/base";
import type { EndpointRequest } from "@boxship/engine";
import { defineRoute } from "../../http/route.ts";
import { decodeBody, field, object, string } from "../../wire/codec.ts";
import { answerFields, endpointRequest } from "../../wire/endpoint.ts";

interface Connect {
  readonly container: string;
  readonly endpoint: EndpointRequest;
}

const connect = object<Connect>("ConnectOptions", {
  container: field("Container", string, { absent: "" }),
  endpoint: field("EndpointConfig", endpointRequest, { absent: {} }),
});

export const networkConnect = defineRoute({
  method: "POST",
  path: "/networks/{id}/connect",
  doc: { state: "works", details: answerFields("EndpointConfig") },
  body: (body, context) => {
    const decoded = decodeBody(connect, body, context);
    if (decoded.container === "") throw new InvalidArgument("field Container must name a container");
    return decoded;
  },
  handle: async (call, { body }) => {
    await call.engine.networks.connect(call.param("id"), body.container, body.endpoint);
    return { status: 200 };
  },
});
