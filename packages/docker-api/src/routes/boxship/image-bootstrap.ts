import { InvalidArgument } from "@boxship/base";
import { ProgressStream } from "../../http/progress-stream.ts";
import { defineRoute } from "../../http/route.ts";

const KINDS = ["debian", "busybox"] as const;

export const imageBootstrap = defineRoute({
  method: "POST",
  path: "/boxship/images/bootstrap",
  doc: {
    state: "works",
    note: "extension: makes a base image (`kind` is `debian` or `busybox`); streams progress, ends with `aux`",
  },
  query: (query) => {
    const kind = KINDS.find((known) => known === query.get("kind"));
    if (kind === undefined) throw new InvalidArgument(`parameter kind must be one of ${KINDS.join(", ")}`);
    return kind;
  },
  handle: async (call, { query: kind }) => {
    const stream = new ProgressStream(call);
    try {
      const image = await call.engine.images.bootstrap(kind, (progress) => stream.push(progress), call.signal);
      stream.value({ aux: { ID: image.id, Tags: image.tags } });
    } catch (error) {
      if (!call.signal.aborted) stream.fail(error);
    }
    stream.end();
    return undefined;
  },
});
