import { Unsupported } from "@boxship/base";
import {
  type Digest,
  decodeImageConfig,
  decodeManifest,
  type ImageRecord,
  isDigest,
  type Platform,
  selectManifests,
} from "@boxship/oci";
import { storeReader } from "../cache/import-cache.ts";
import type { ContextSource } from "../contract.ts";
import type { BuildSession } from "./session.ts";

/** An image that is not among the engine's, as much of it as a stage needs. */
export type LayoutImage = Pick<ImageRecord, "id" | "config" | "layers">;

/**
 * Brings an image out of an OCI layout: its documents, and the blobs of its layers, which are verified. It gets no name.
 *
 * @throws NotFound, InvalidArgument
 */
export async function layoutImage(
  session: BuildSession,
  source: Extract<ContextSource, { readonly kind: "layout" }>,
  platform: Platform,
): Promise<LayoutImage> {
  const { content } = session.parts.engine.images;
  const reader = storeReader(session, source);
  const wanted = source.digest !== undefined && isDigest(source.digest) ? source.digest : undefined;
  const manifest = await chosenManifest(reader, wanted, platform, source.name);
  const config = decodeImageConfig(await reader.document(manifest.config), `configuration of ${source.name}`);
  await Promise.all(
    manifest.layers.map(async (layer) => {
      session.lease.add(layer.digest);
      if ((await content.stat(layer.digest)) === undefined) await reader.fetch(layer, session.signal);
    }),
  );
  return { id: manifest.config.digest, config, layers: manifest.layers };
}

async function chosenManifest(
  reader: ReturnType<typeof storeReader>,
  digest: Digest | undefined,
  platform: Platform,
  name: string,
) {
  let wanted = digest;
  for (let depth = 0; depth < 4; depth++) {
    const { bytes, mediaType } = await reader.manifest(wanted);
    const document = decodeManifest(bytes, { mediaType, name: `manifest of ${name}` });
    if (document.kind === "manifest") return document;
    wanted = selectManifests(document, platform)[0].digest;
  }
  throw new Unsupported(`${name} has indexes in indexes, too many`);
}
