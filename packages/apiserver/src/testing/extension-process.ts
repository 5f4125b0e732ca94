import type { ServerResponse } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";

/**
 * A server of `things.extension.example/v1` in a process of its own, as people write them: it knows who asks by the
 * headers of a caller whose certificate is of the front proxy's authority. Its parent sends it `{ key, cert, ca }`; it
 * answers with `{ port }`. Objects of the name `stalled` are never answered.
 */
const GROUP_VERSION = "extension.example/v1";

interface Thing {
  metadata: { name: string; resourceVersion?: string; [field: string]: unknown };
}

const kept = new Map<string, Thing>();
const watching = new Set<ServerResponse>();
let version = 0;

function tell(type: string, object: Thing, to: Iterable<ServerResponse> = watching): void {
  for (const response of to) response.write(`${JSON.stringify({ type, object })}\n`);
}

const failed = (code: number, reason: string) => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  reason,
  code,
});

const RESOURCES = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: GROUP_VERSION,
  resources: [
    {
      name: "things",
      singularName: "thing",
      namespaced: true,
      kind: "Thing",
      shortNames: ["xt"],
      verbs: ["create", "delete", "get", "list", "watch"],
    },
    { name: "things/status", singularName: "", namespaced: true, kind: "Thing", verbs: ["get"] },
  ],
};

const INFO = { title: "things", version: "v1" };
const DOCUMENTS = { [`apis/${GROUP_VERSION}`]: { serverRelativeURL: `/openapi/v3/apis/${GROUP_VERSION}?hash=ABC` } };
const PATHS = {
  [`/apis/${GROUP_VERSION}/namespaces/{namespace}/things`]: {
    get: {
      operationId: "listThings",
      responses: {},
      "x-kubernetes-action": "list",
      "x-kubernetes-group-version-kind": { group: "extension.example", version: "v1", kind: "Thing" },
    },
  },
  "/apis/other.example/v1/others": { get: { operationId: "listOthers", responses: {} } },
};
const schemas = (prefix: string) => ({
  "example.v1.Thing": {
    type: "object",
    description: "Thing is what this server serves.",
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      spec: { $ref: `${prefix}example.v1.Spec` },
    },
    "x-kubernetes-group-version-kind": [{ group: "extension.example", version: "v1", kind: "Thing" }],
  },
  "example.v1.Spec": {
    type: "object",
    properties: {
      size: { type: "integer", description: "How large it is." },
      next: { $ref: `${prefix}example.v1.Spec` },
    },
  },
  "example.v1.Unused": { type: "object" },
});

process.once("message", (options: ServerOptions) => {
  const server = createServer({ ...options, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    const chunks: Buffer[] = [];
    const json = (status: number, value: unknown): void => {
      response.writeHead(status, { "content-type": "application/json", "x-from": "extension" });
      response.end(JSON.stringify(value));
    };
    request.on("data", (chunk: Buffer) => void chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "https://x");
      const [, , , , , , , name] = url.pathname.split("/");
      if (url.pathname === `/apis/${GROUP_VERSION}`) json(200, RESOURCES);
      else if (url.pathname === "/openapi/v3") json(200, { paths: DOCUMENTS });
      else if (url.pathname === `/openapi/v3/apis/${GROUP_VERSION}`) {
        json(200, {
          openapi: "3.0.0",
          info: INFO,
          paths: PATHS,
          components: { schemas: schemas("#/components/schemas/") },
        });
      } else if (url.pathname === "/openapi/v2") {
        json(200, { swagger: "2.0", info: INFO, paths: PATHS, definitions: schemas("#/definitions/") });
      } else if (name === "stalled") return;
      else if (name === "who")
        json(200, {
          headers: request.headers,
          host: request.headers.host,
          serial: (request.socket as TLSSocket).getPeerCertificate().serialNumber,
        });
      else if (request.method === "POST") {
        const object = JSON.parse(Buffer.concat(chunks).toString()) as Thing;
        object.metadata.resourceVersion = `${++version}`;
        kept.set(object.metadata.name, object);
        tell("ADDED", object);
        json(201, object);
      } else if (url.searchParams.get("watch") === "true") {
        response.writeHead(200, { "content-type": "application/json" });
        response.flushHeaders();
        // From the beginning, whatever version is named: who has seen it sees it again.
        for (const object of kept.values()) tell("ADDED", object, [response]);
        watching.add(response);
        response.on("close", () => watching.delete(response));
      } else if (name === undefined) {
        const metadata = { resourceVersion: `${version}` };
        json(200, { kind: "ThingList", apiVersion: GROUP_VERSION, metadata, items: [...kept.values()] });
      } else {
        const object = kept.get(name);
        if (object === undefined) json(404, failed(404, "NotFound"));
        else if (request.method === "DELETE") {
          kept.delete(name);
          tell("DELETED", { ...object, metadata: { ...object.metadata, resourceVersion: `${++version}` } });
          json(200, object);
        } else json(200, object);
      }
    });
  });
  // A protocol of its own: what is sent comes back in capitals.
  server.on("upgrade", (request, socket, head) => {
    const { "x-remote-user": user = "", "sec-websocket-protocol": protocol = "" } = request.headers;
    if (request.url?.includes("/refused/") === true) {
      socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-User: ${user as string}\r\n` +
        `Sec-WebSocket-Protocol: ${protocol}\r\n\r\nhello ${head.toString().toUpperCase()}`,
    );
    socket.on("data", (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
    socket.on("end", () => socket.end());
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
});
process.on("disconnect", () => process.exit(0));
