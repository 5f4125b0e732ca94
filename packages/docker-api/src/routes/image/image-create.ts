import { InvalidArgument, Unsupported } from "@boxship/base";
import { type ApiCall } from "../../http/call.ts";
import { ProgressStream } from "../../http/progress-stream.ts";
import { text } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";
import { credentialsFromHeader } from "../../wire/registry-auth.ts";
import { inRegistrysWords } from "./registry-words.ts";

interface PullQuery {
  readonly reference: string;
  readonly platform?: string;
}

function pullQuery(query: URLSearchParams, version: number): PullQuery {
  if (query.has("fromSrc")) {
    throw new Unsupported("importing an archive as an image is not supported yet", {
      remedy: "load the image from a registry, or make one with: boxship image bootstrap",
    });
  }
  const image = text(query, "fromImage");
  if (image === undefined) throw new InvalidArgument("parameter fromImage must name an image");
  const platform = version < 32 ? undefined : text(query, "platform");
  return { reference: withTag(image, text(query, "tag")), ...(platform === undefined ? {} : { platform }) };
}

/** `tag` may be a digest; without one, and with no tag in the name, it is `latest`, as clients rely on. */
export function withTag(image: string, tag: string | undefined): string {
  if (tag === undefined) return image;
  return tag.includes(":") ? `${image}@${tag}` : `${image.replace(/:[^:/]+$/, "")}:${tag}`;
}

export const imageCreate = defineRoute({
  method: "POST",
  path: "/images/create",
  doc: { state: "differs", note: "`fromSrc` (import) is refused; a pull takes one tag, without a tag `latest`" },
  query: pullQuery,
  handle: async (call, { query }) => {
    const stream = new ProgressStream(call);
    try {
      await pull(call, query, stream);
    } catch (error) {
      if (!call.signal.aborted) stream.fail(inRegistrysWords(error));
    }
    stream.end();
    return undefined;
  },
});

async function pull(call: ApiCall, { reference, platform }: PullQuery, stream: ProgressStream): Promise<void> {
  const credentials = credentialsFromHeader(call.request.headers["x-registry-auth"]);
  await call.engine.images.pull(reference, {
    ...(platform === undefined ? {} : { platform }),
    ...(credentials === undefined ? {} : { credentials }),
    onProgress: (progress) => stream.push(progress),
    signal: call.signal,
  });
}
