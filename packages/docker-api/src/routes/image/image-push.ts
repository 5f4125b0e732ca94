import type { PushEvent } from "@boxship/engine";
import { ProgressStream } from "../../http/progress-stream.ts";
import { text } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";
import { credentialsFromHeader } from "../../wire/registry-auth.ts";
import { withTag } from "./image-create.ts";
import { platformOf, platformText } from "./image-platform.ts";
import { inRegistrysWords } from "./registry-words.ts";

export const imagePush = defineRoute({
  method: "POST",
  path: "/images/{name*}/push",
  doc: { state: "works", note: "without `tag` all tags of the repository; layers go as they are stored" },
  query: (query, version) => ({
    tag: text(query, "tag"),
    platform: version < 46 ? undefined : platformText(platformOf(query)),
  }),
  handle: async (call, { query: { tag, platform } }) => {
    const stream = new ProgressStream(call);
    const onEvent = (event: PushEvent) => {
      if (event.kind === "progress") stream.push(event.progress);
      else stream.value({ progressDetail: {}, aux: { Tag: event.tag, Digest: event.digest, Size: event.size } });
    };
    const credentials = credentialsFromHeader(call.request.headers["x-registry-auth"]);
    try {
      await call.engine.images.push(withTag(call.param("name"), tag), {
        ...(platform === undefined ? {} : { platform }),
        credentials,
        onEvent,
        signal: call.signal,
      });
    } catch (error) {
      if (!call.signal.aborted) stream.fail(inRegistrysWords(error));
    }
    stream.end();
    return undefined;
  },
});
