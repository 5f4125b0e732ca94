import { InvalidArgument, Unsupported } from "@boxship/base";
import { text } from "../../http/query.ts";
import { defineRoute, noContent, notModified } from "../../http/route.ts";

/** Longest body that Docker takes for "none": old clients send `null` or `{}`. */
const EMPTY_BODY = 7;

export const containerStart = defineRoute({
  method: "POST",
  path: "/containers/{id}/start",
  doc: {
    state: "works",
    note: "`checkpoint` is refused",
    details: {
      checkpoint: { state: "refused", note: "starting from a checkpoint is not supported" },
      "checkpoint-dir": { state: "refused", note: "as `checkpoint`" },
      detachKeys: { state: "differs", note: "passed over, as Docker does: it belongs to attach" },
    },
  },
  query: (query) => {
    if (text(query, "checkpoint") !== undefined || text(query, "checkpoint-dir") !== undefined) {
      throw new Unsupported("starting from a checkpoint is not supported");
    }
  },
  handle: async (call) => {
    const { headers } = call.request;
    if (Number(headers["content-length"] ?? 0) > EMPTY_BODY || headers["transfer-encoding"] !== undefined) {
      throw new InvalidArgument(
        "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
      );
    }
    return (await call.engine.containers.start(call.param("id"))) ? noContent : notModified;
  },
});
