import { InvalidArgument } from "@boxship/base";
import { text } from "../../http/query.ts";
import { defineRoute, noContent, notModified } from "../../http/route.ts";

/** Longest body that Docker takes for "none": old clients send `null` or `{}`. */
const EMPTY_BODY = 7;

export const containerStart = defineRoute({
  method: "POST",
  path: "/containers/{id}/start",
  doc: {
    state: "works",
    note: "`checkpoint` needs CRIU and runc",
    details: { detachKeys: { state: "differs", note: "passed over, as Docker does: it belongs to attach" } },
  },
  query: (query) => {
    const name = text(query, "checkpoint");
    const directory = text(query, "checkpoint-dir");
    return name === undefined ? undefined : { name, ...(directory === undefined ? {} : { directory }) };
  },
  handle: async (call, { query: from }) => {
    const { headers } = call.request;
    if (Number(headers["content-length"] ?? 0) > EMPTY_BODY || headers["transfer-encoding"] !== undefined) {
      throw new InvalidArgument(
        "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
      );
    }
    return (await call.engine.containers.start(call.param("id"), from)) ? noContent : notModified;
  },
});
