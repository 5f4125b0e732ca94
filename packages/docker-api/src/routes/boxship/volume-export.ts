import { defineRoute } from "../../http/route.ts";
import { sendStream } from "../../http/send-stream.ts";

export const volumeExport = defineRoute({
  method: "GET",
  path: "/boxship/volumes/{name}/export",
  doc: { state: "works", note: "extension: a volume's content as a tar" },
  handle: async (call) => {
    const stream = await call.engine.volumes.export(call.param("name"));
    await sendStream(call, stream, { "Content-Type": "application/x-tar" });
    return undefined;
  },
});
