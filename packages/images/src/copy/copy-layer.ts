import {
  compressLayer,
  type Descriptor,
  decodeImageConfig,
  IMAGE_CONFIG_SIZE_LIMIT,
  isForeignLayer,
  isImageConfigMediaType,
  layerCompression,
  MediaType,
} from "@boxship/oci";
import type { ImageDestination, ImageSource, LocalBlob } from "../transport/contract.ts";
import { readSmallFile, verifyFile } from "../transport/files.ts";
import { inScratch, type LazyScratch } from "../transport/scratch.ts";
import { encodeOciConfig } from "./go-config.ts";
import { decompressInto } from "./layer-forms.ts";

export interface LayerCopy {
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  readonly scratch: LazyScratch;
  /** Layers must stay as they are. */
  readonly preserve: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Copies one layer in the form that the destination keeps. @returns what it is there */
export async function copyLayer(copy: LayerCopy, layer: Descriptor): Promise<Descriptor> {
  copy.signal?.throwIfAborted();
  const { source, destination } = copy;
  if (!isLayerType(layer.mediaType)) return keep(copy, layer);
  if (isForeignLayer(layer.mediaType) && (layer.urls?.length ?? 0) > 0) return layer;
  const plain = source.plainLayers === true || layerCompression(layer.mediaType) === "none";
  const form = copy.preserve ? "as they are" : (destination.layers ?? "as they are");
  if (form === "compressed" && plain) return compressed(copy, plainType(layer));
  if (form === "plain" && !plain) return decompressed(copy, layer);
  return keep(copy, layer);
}

/** Artifacts have layers of any kind. */
function isLayerType(mediaType: string): boolean {
  try {
    layerCompression(mediaType);
    return true;
  } catch {
    return false;
  }
}

async function keep({ source, destination, scratch }: LayerCopy, blob: Descriptor): Promise<Descriptor> {
  await destination.put(blob, {
    file: async () => source.blob(blob, await scratch.store()),
    origin: source.origin?.(blob),
  });
  return blob;
}

/** The descriptor of a layer whose manifest says that it is compressed, and is not. */
function plainType(layer: Descriptor): Descriptor {
  return { ...layer, mediaType: layer.mediaType.replace(/[.+](?:gzip|zstd)$/, "") };
}

async function compressed(copy: LayerCopy, layer: Descriptor): Promise<Descriptor> {
  const { destination } = copy;
  const scratch = await copy.scratch.store();
  const original = await verified(copy, layer);
  const store = {
    path: () => Promise.resolve(original.path),
    ingest: scratch.ingest.bind(scratch),
    stat: scratch.stat.bind(scratch),
  };
  const made = await compressLayer(layer, { store, lease: scratch.lease(), signal: copy.signal });
  await destination.put(made, inScratch(scratch, made.digest));
  return made;
}

async function decompressed(copy: LayerCopy, layer: Descriptor): Promise<Descriptor> {
  const { destination } = copy;
  const scratch = await copy.scratch.store();
  const original = await verified(copy, layer);
  const { digest, size } = await decompressInto(scratch, original.path);
  const mediaType = layer.mediaType.replace(/[.+](?:gzip|zstd)$/, "");
  // Docker's manifests of archives say gzip of plain layers, and always have.
  const kept = mediaType.includes("docker") ? MediaType.DockerLayerGzip : mediaType;
  const made = { ...layer, mediaType: kept, digest, size };
  await destination.put(made, inScratch(scratch, digest));
  return made;
}

async function verified({ source, scratch }: LayerCopy, layer: Descriptor): Promise<LocalBlob> {
  const blob = await source.blob(layer, await scratch.store());
  if (!blob.owned) await verifyFile(layer, blob.path);
  return blob;
}

/** Copies a configuration; Docker's becomes one of the OCI's where the manifest does. */
export async function copyConfig(copy: LayerCopy, original: Descriptor, wanted: Descriptor): Promise<Descriptor> {
  const { destination } = copy;
  if (original.mediaType === wanted.mediaType || !isImageConfigMediaType(original.mediaType)) {
    return keep(copy, wanted);
  }
  if (wanted.mediaType !== MediaType.OciConfig) return keep(copy, wanted);
  const scratch = await copy.scratch.store();
  const { path } = await verified(copy, original);
  const bytes = await readSmallFile(path, IMAGE_CONFIG_SIZE_LIMIT);
  const made = await scratch.put(encodeOciConfig(decodeImageConfig(bytes)));
  const config = { ...wanted, ...made };
  await destination.put(config, inScratch(scratch, made.digest));
  return config;
}
