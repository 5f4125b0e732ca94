import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatReference, parseReference, withDefaultTag, writeTar } from "@boxship/oci";
import type { ImageDestination, ImageSource } from "./contract.ts";
import { layoutDestination } from "./layout.ts";
import { layoutArchiveSource, layoutFiles } from "./layout-archive.ts";
import { readIndex, writeIndex } from "./layout-index.ts";

/** An engine's store, by what every Docker Engine API has. */
export interface EngineStore {
  /** An archive with one image, as `docker save` streams it. @throws NotFound */
  save(image: string): Promise<AsyncIterable<Uint8Array>>;
  /** Takes an archive as `docker load` does. */
  load(archive: AsyncIterable<Uint8Array>): Promise<void>;
}

/** The name under which the engine finds an image in a layout. */
const IMAGE_NAME = "io.containerd.image.name";

/** An image of the engine. */
export async function engineSource(engine: EngineStore, image: string, name: string): Promise<ImageSource> {
  return layoutArchiveSource(await engine.save(image), "", name);
}

/** A name in the engine: its manifests stay what they are. */
export async function engineDestination(engine: EngineStore, image: string, name: string): Promise<ImageDestination> {
  const reference = withDefaultTag(parseReference(image));
  const directory = await mkdtemp(join(tmpdir(), ".boxship-images-"));
  const layout = await layoutDestination({ path: directory, image: "", keepPlainLayers: true });
  const { accepts: _accepts, ...rest } = layout;
  return {
    ...rest,
    name,
    async commit() {
      await layout.commit();
      const index = await readIndex(directory);
      const annotations = { [IMAGE_NAME]: formatReference(reference) };
      await writeIndex(directory, { ...index, manifests: index.manifests.map((entry) => ({ ...entry, annotations })) });
      await engine.load(writeTar(layoutFiles(directory)));
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
