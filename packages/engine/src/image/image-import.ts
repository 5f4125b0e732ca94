import { hostPlatform, makeLayer, openUrl, type Platform } from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { ImportOptions, ImportSource, Progress } from "../engine-api.ts";
import { platformAsked } from "./image-platform.ts";
import { changedConfig, makeImage } from "./make-image.ts";
import { newImageName } from "./new-image-name.ts";

/** Makes an image of one layer from an archive of files. */
export async function importImage(
  context: EngineContext,
  source: ImportSource,
  options: ImportOptions,
): Promise<{ readonly id: string }> {
  const { images, clock, events } = context;
  const { changes, onProgress, signal } = options;
  // What is wrong with the request is said before anything is read.
  const tags = newImageName(options.reference);
  const config = changedConfig({}, changes);
  const platform = platformAsked(options.platform) ?? hostPlatform();
  using lease = images.content.lease();
  try {
    await using archive = await openSource(source, onProgress, signal);
    const layer = await makeLayer({
      source: { kind: "archive", archive: archive.body },
      store: images.content,
      lease,
      signal,
    });
    const created = new Date(clock.now()).toISOString();
    const comment = options.message || `Imported from ${source.kind === "url" ? source.url : "-"}`;
    const id = await makeImage(context, {
      config: { created, ...platformFields(platform), config, history: [{ created, comment }] },
      layers: [layer],
      tags,
      lease,
      signal,
    });
    events.publish("image", "import", id, { name: id });
    return { id };
  } catch (error) {
    context.background.run("removing what an import left", () => images.sweep());
    throw error;
  }
}

interface OpenSource extends AsyncDisposable {
  readonly body: AsyncIterable<Uint8Array>;
}

async function openSource(
  source: ImportSource,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal | undefined,
): Promise<OpenSource> {
  if (source.kind === "archive") return { body: source.archive, [Symbol.asyncDispose]: () => Promise.resolve() };
  onProgress({ status: `Downloading from ${source.url}` });
  const { body, size, ...rest } = await openUrl(source.url, signal === undefined ? {} : { signal });
  async function* counted(): AsyncGenerator<Uint8Array> {
    let current = 0;
    for await (const piece of body) {
      current += piece.length;
      onProgress({ id: "", status: "Importing", current, ...(size === undefined ? {} : { total: size }) });
      yield piece;
    }
  }
  return { body: counted(), [Symbol.asyncDispose]: () => rest[Symbol.asyncDispose]() };
}

function platformFields({ os, architecture, variant }: Platform) {
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}
