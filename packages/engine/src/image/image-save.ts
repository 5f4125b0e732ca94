import type { Readable } from "node:stream";
import { InvalidArgument } from "@boxship/base";
import {
  formatReference,
  type ImageRecord,
  type ImageToSave,
  parseImageArgument,
  type Reference,
  repositoryName,
  saveImages as writeImages,
} from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import { requirePlatform } from "./image-platform.ts";

/** Images as one archive. What is asked for by id has no name in it, a repository has all its tags. */
export async function saveImages(
  context: EngineContext,
  refs: readonly string[],
  { platform }: { readonly platform?: string } = {},
): Promise<Readable> {
  if (refs.length === 0) throw new InvalidArgument("no images to save: name at least one");
  const images = new Map<string, ImageToSave & { readonly id: string }>();
  for (const ref of refs) {
    for (const { record, tag } of meant(context, ref)) {
      requirePlatform(record, ref, platform);
      const known = images.get(record.manifest.digest)?.tags ?? [];
      const isNew = tag !== undefined && !known.some((other) => formatReference(other) === formatReference(tag));
      images.set(record.manifest.digest, {
        id: record.id,
        manifest: record.manifest,
        tags: isNew ? [...known, tag] : known,
      });
    }
  }
  const { content } = context.images;
  const stream = await writeImages({ store: content, images: [...images.values()] });
  for (const { id } of images.values()) context.events.publish("image", "save", id, { name: id });
  return stream;
}

interface Meant {
  readonly record: ImageRecord;
  readonly tag?: Reference;
}

function meant(context: EngineContext, ref: string): readonly Meant[] {
  const { store } = context.images;
  const argument = parseImageArgument(ref);
  if (argument.kind === "id") return [{ record: store.resolve(ref) }];
  const { reference } = argument;
  if (reference.tag === undefined && reference.digest === undefined) {
    const all = taggedIn(store.list(), repositoryName(reference));
    if (all.length > 0) return all;
  }
  const record = store.resolve(ref);
  const tag = record.tags.find((name) => formatReference(name) === formatReference(reference));
  return [tag === undefined ? { record } : { record, tag }];
}

function taggedIn(records: readonly ImageRecord[], repository: string): readonly Meant[] {
  return records.flatMap((record) =>
    record.tags.filter((tag) => repositoryName(tag) === repository).map((tag) => ({ record, tag })),
  );
}
