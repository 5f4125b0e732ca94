import { InvalidArgument } from "@boxship/base";
import type { ImportOptions, ImportSource } from "@boxship/engine";
import { type ApiCall } from "../../http/call.ts";
import { ProgressStream } from "../../http/progress-stream.ts";
import { text } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";
import { credentialsFromHeader } from "../../wire/registry-auth.ts";
import { inRegistrysWords } from "./registry-words.ts";

type CreateQuery =
  | { readonly kind: "pull"; readonly reference: string; readonly platform?: string }
  | {
      readonly kind: "import";
      readonly source: string;
      readonly options: Omit<ImportOptions, "onProgress" | "signal">;
    };

function createQuery(query: URLSearchParams, version: number): CreateQuery {
  const platform = version < 32 ? undefined : text(query, "platform");
  const image = text(query, "fromImage");
  if (image !== undefined) {
    // "pull -a" of old clients ends the name with a colon.
    const reference = withTag(image.replace(/:$/, ""), text(query, "tag"));
    return { kind: "pull", reference, ...(platform === undefined ? {} : { platform }) };
  }
  const source = text(query, "fromSrc");
  if (source === undefined)
    throw new InvalidArgument("parameter fromImage or fromSrc must say what to make an image of");
  const reference = newName(query);
  const message = text(query, "message");
  return {
    kind: "import",
    source,
    options: {
      changes: query.getAll("changes"),
      ...(reference === undefined ? {} : { reference }),
      ...(message === undefined ? {} : { message }),
      ...(platform === undefined ? {} : { platform }),
    },
  };
}

/** The name of a new image by the parameters `repo` and `tag`. */
export function newName(query: URLSearchParams): string | undefined {
  const repository = text(query, "repo");
  return repository === undefined ? undefined : withTag(repository, text(query, "tag"));
}

/** `tag` may be a digest. */
export function withTag(image: string, tag: string | undefined): string {
  if (tag === undefined) return image;
  return tag.includes(":") ? `${image}@${tag}` : `${image.replace(/:[^:/]+$/, "")}:${tag}`;
}

export const imageCreate = defineRoute({
  method: "POST",
  path: "/images/create",
  doc: {
    state: "differs",
    note: "an import takes archives that are plain or compressed with gzip or zstd",
  },
  query: createQuery,
  handle: async (call, { query }) => {
    const stream = new ProgressStream(call);
    try {
      if (query.kind === "pull") await pull(call, query, stream);
      else await importArchive(call, query, stream);
    } catch (error) {
      if (!call.signal.aborted) stream.fail(query.kind === "pull" ? inRegistrysWords(error) : error);
    }
    stream.end();
    return undefined;
  },
});

async function pull(
  call: ApiCall,
  { reference, platform }: Extract<CreateQuery, { kind: "pull" }>,
  stream: ProgressStream,
): Promise<void> {
  const credentials = credentialsFromHeader(call.request.headers["x-registry-auth"]);
  await call.engine.images.pull(reference, {
    allTags: true,
    ...(platform === undefined ? {} : { platform }),
    credentials,
    onProgress: (progress) => stream.push(progress),
    signal: call.signal,
  });
}

/** `-` is the request's own body; an address without a scheme is one of http. */
async function importArchive(
  call: ApiCall,
  { source, options }: Extract<CreateQuery, { kind: "import" }>,
  stream: ProgressStream,
): Promise<void> {
  const from: ImportSource =
    source === "-"
      ? { kind: "archive", archive: call.request }
      : { kind: "url", url: /^[a-z]+:\/\//i.test(source) ? source : `http://${source}` };
  const { id } = await call.engine.images.import(from, {
    ...options,
    onProgress: (progress) => stream.push(progress),
    signal: call.signal,
  });
  stream.value({ status: id });
}
