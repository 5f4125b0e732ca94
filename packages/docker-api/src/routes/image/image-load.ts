import type { LoadEvent } from "@boxship/engine";
import { ProgressStream } from "../../http/progress-stream.ts";
import { flag } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";
import { platformOf, platformText } from "./image-platform.ts";

export const imageLoad = defineRoute({
  method: "POST",
  path: "/images/load",
  doc: {
    state: "works",
    note: "archives of `docker save` since 1.10 and OCI image layouts, plain or compressed with gzip or zstd",
  },
  query: (query, version) => ({
    // Clients before 1.23 show no progress, and later ones say so.
    quiet: flag(query, "quiet", true),
    platform: version < 48 ? undefined : platformText(platformOf(query)),
  }),
  handle: async (call, { query: { quiet, platform } }) => {
    const stream = new ProgressStream(call);
    const onEvent = (event: LoadEvent) => {
      if (event.kind !== "progress") stream.value({ stream: `${sentence(event)}\n` });
      else if (!quiet) stream.push(event.progress);
    };
    try {
      const options = { onEvent, signal: call.signal };
      await call.engine.images.load(call.request, platform === undefined ? options : { ...options, platform });
    } catch (error) {
      if (!call.signal.aborted) stream.fail(error);
    }
    stream.end();
    return undefined;
  },
});

function sentence(event: Exclude<LoadEvent, { readonly kind: "progress" }>): string {
  if (event.kind === "loaded") {
    return event.name === undefined ? `Loaded image ID: ${event.id}` : `Loaded image: ${event.name}`;
  }
  return `The image ${event.name} already exists, renaming the old one with ID ${event.from} to empty string`;
}
