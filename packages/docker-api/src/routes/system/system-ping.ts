import { defineRoute, type Method } from "../../http/route.ts";

/** What a client learns before it says anything else; the common headers carry the version. */
const HEADERS = {
  "Cache-Control": "no-cache, no-store, must-revalidate",
  Pragma: "no-cache",
  Swarm: "inactive",
};

const ping = (method: Method) =>
  defineRoute({
    method,
    path: "/_ping",
    doc: { state: "works" },
    handle: ({ response, context }) => {
      response.setHeader("Builder-Version", context.buildkit === undefined ? "1" : "2");
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
      if (method === "HEAD") {
        response.setHeader("Content-Type", "text/plain; charset=utf-8");
        return Promise.resolve({ status: 200 });
      }
      return Promise.resolve({ status: 200, text: "OK" });
    },
  });

export const systemPing = [ping("GET"), ping("HEAD")];
