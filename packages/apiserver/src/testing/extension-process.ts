import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";

/**
 * A server of `things.extension.example/v1` in a process of its own, as people write them: it knows who asks by the
 * headers of a caller whose certificate is of the front proxy's authority. Its parent sends it `{ key, cert, ca }`; it
 * answers with `{ port }`. Objects of the name `stalled` are never answered.
 */
const GROUP_VERSION = "extension.example/v1";
const kept = new Map<string, unknown>();

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
      else if (name === "stalled") return;
      else if (name === "who") json(200, { headers: request.headers, host: request.headers.host });
      else if (request.method === "POST") {
        const object = JSON.parse(Buffer.concat(chunks).toString()) as { metadata: { name: string } };
        kept.set(object.metadata.name, object);
        json(201, object);
      } else if (url.searchParams.get("watch") === "true") {
        response.writeHead(200, { "content-type": "application/json" });
        for (const object of kept.values()) response.write(`${JSON.stringify({ type: "ADDED", object })}\n`);
      } else if (name === undefined) {
        json(200, { kind: "ThingList", apiVersion: GROUP_VERSION, metadata: {}, items: [...kept.values()] });
      } else if (kept.has(name)) json(200, kept.get(name));
      else
        json(404, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", reason: "NotFound", code: 404 });
    });
  });
  server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
});
process.on("disconnect", () => process.exit(0));
