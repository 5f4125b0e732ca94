import { InvalidArgument } from "@boxship/base";
import type { PortBinding } from "@boxship/engine";
import { integer, text } from "../../http/query.ts";
import { created, defineRoute, noContent } from "../../http/route.ts";
import { type Codec, decodeBody, field, object, string } from "../../wire/codec.ts";
import { normalizePort } from "../../wire/port-map.ts";

const request: Codec<PortBinding & { readonly port: string }> = object("PublishRequest", {
  port: field("Port", string, { absent: "" }),
  hostIp: field("HostIp", string),
  hostPort: field("HostPort", string),
});

function onePort(port: string): string {
  const normal = normalizePort(port);
  if (normal.includes("-")) throw new InvalidArgument(`one port at a time, not ${port}`);
  return normal;
}

export const containerPortAdd = defineRoute({
  method: "POST",
  path: "/boxship/containers/{id}/ports",
  doc: {
    state: "works",
    note: "extension: publishes a port of a container (`Port`, `HostIp`, `HostPort`), at once if it runs; answers with where it is published",
  },
  body: (body, context) => {
    const { port, ...binding } = decodeBody(request, body, context);
    return { port: onePort(port), binding };
  },
  handle: async (call, { body: { port, binding } }) => {
    const ports = await call.engine.containers.addPort(call.param("id"), port, binding);
    return created(ports.map(({ hostIp, hostPort }) => ({ HostIp: hostIp, HostPort: String(hostPort) })));
  },
});

export const containerPortRemove = defineRoute({
  method: "DELETE",
  path: "/boxship/containers/{id}/ports",
  doc: {
    state: "works",
    note: "extension: takes published ports of a container back, at once if it runs: those of `port`, or only that at `hostip` and `hostport`",
  },
  query: (query) => {
    const port = text(query, "port");
    if (port === undefined) throw new InvalidArgument("bad parameter: port cannot be empty");
    const hostIp = text(query, "hostip");
    const hostPort = integer(query, "hostport");
    return {
      port: onePort(port),
      ...(hostIp === undefined ? {} : { hostIp }),
      ...(hostPort === undefined ? {} : { hostPort }),
    };
  },
  handle: async (call, { query }) => {
    await call.engine.containers.removePort(call.param("id"), query);
    return noContent;
  },
});
