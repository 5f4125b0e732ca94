import { defineRoute } from "../../http/route.ts";
import { sendStream } from "../../http/send-stream.ts";

export const containerExport = defineRoute({
  method: "GET",
  path: "/containers/{id}/export",
  doc: { state: "works" },
  handle: async (call) => {
    const stream = await call.engine.containers.export(call.param("id"));
    await sendStream(call, stream, { "Content-Type": "application/octet-stream" });
    return undefined;
  },
});
