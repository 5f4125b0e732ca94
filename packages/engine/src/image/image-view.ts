import { chainIds, type ImageRecord } from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { ImageHistoryEntry, ImageView } from "../engine-api.ts";
import { runConfigOf } from "./image-config.ts";

/** An image as it is shown. */
export function imageView(context: EngineContext, record: ImageRecord): ImageView {
  const { config } = record;
  const containers = context.containers.all().filter(({ imageId }) => imageId === record.id).length;
  return {
    id: record.id,
    repoTags: record.repoTags,
    repoDigests: record.repoDigests,
    manifest: record.manifest,
    ...(config.created === undefined ? {} : { created: config.created }),
    ...(config.author === undefined ? {} : { author: config.author }),
    ...lastComment(record),
    architecture: config.architecture,
    ...(config.variant === undefined ? {} : { variant: config.variant }),
    os: config.os,
    ...(config["os.version"] === undefined ? {} : { osVersion: config["os.version"] }),
    size: record.size,
    diffIds: config.rootfs.diff_ids,
    config: runConfigOf(config),
    history: imageHistory(context, record),
    containers,
    lastTagged: record.added,
    graph: { name: context.snapshotter.driver, data: graphData(context, record) },
  };
}

function lastComment({ config }: ImageRecord): { readonly comment?: string } {
  const comment = config.history?.at(-1)?.comment;
  return comment === undefined ? {} : { comment };
}

function graphData(context: EngineContext, record: ImageRecord): Readonly<Record<string, string>> {
  const top = chainIds(record.config.rootfs.diff_ids).at(-1);
  if (top === undefined || !context.snapshotter.has(top)) return {};
  const [upper = "", ...lower] = context.snapshotter.chainDirectories(top);
  return { UpperDir: upper, ...(lower.length === 0 ? {} : { LowerDir: lower.join(":") }) };
}

/** The steps that made an image, the last first. Only the last has an id, as builders do not keep the others. */
export function imageHistory(context: EngineContext, record: ImageRecord): readonly ImageHistoryEntry[] {
  const chain = chainIds(record.config.rootfs.diff_ids);
  const sizes = new Map(context.snapshotter.listLayers().map(({ chainId, size }) => [chainId, size]));
  let layer = 0;
  const steps = (record.config.history ?? []).map((step): ImageHistoryEntry => {
    const size = step.empty_layer === true ? 0 : (sizes.get(chain[layer++] ?? "") ?? 0);
    return {
      id: "<missing>",
      ...(step.created === undefined ? {} : { created: step.created }),
      createdBy: step.created_by ?? "",
      comment: step.comment ?? "",
      size,
      tags: [],
    };
  });
  const [last, ...earlier] = steps.reverse();
  const own = { id: record.id, tags: record.repoTags };
  if (last !== undefined) return [{ ...last, ...own }, ...earlier];
  return [{ ...own, createdBy: "", comment: "", size: record.size, ...created(record) }];
}

function created({ config }: ImageRecord): { readonly created?: string } {
  return config.created === undefined ? {} : { created: config.created };
}
