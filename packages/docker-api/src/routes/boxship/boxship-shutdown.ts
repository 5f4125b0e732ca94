import { Unsupported } from "@boxship/base";
import { defineRoute } from "../../http/route.ts";

export const boxshipShutdown = defineRoute({
  method: "POST",
  path: "/boxship/shutdown",
  doc: {
    state: "works",
    note: "extension: ends the daemon; containers run on, or with `reset=1` everything of the instance is removed",
  },
  query: (query) => query.get("reset") === "1",
  handle: ({ context: { shutdown }, response }, { query: reset }) => {
    if (shutdown === undefined) throw new Unsupported("this engine cannot be shut down through its API");
    response.setHeader("Connection", "close");
    response.once("finish", () => shutdown({ reset }));
    return Promise.resolve({ status: 202 });
  },
});
