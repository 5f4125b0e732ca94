import { formatReference, parseReference, withDefaultTag, writeTar } from "@boxship/oci";
import type { ImageDestination, ImageSource } from "./contract.ts";
import { LayoutMembers, layoutArchiveSource } from "./layout-archive.ts";
import { EMPTY_INDEX } from "./layout-index.ts";

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
  const layout = new LayoutMembers();
  return {
    name,
    put: (descriptor, content) => layout.blobs.put(descriptor, content),
    putManifest: async (manifest, top) => layout.putManifest(manifest, top),
    async commit() {
      if (layout.top === undefined) return;
      const annotations = { [IMAGE_NAME]: formatReference(reference) };
      const index = { ...EMPTY_INDEX, manifests: [{ ...layout.top, annotations }] };
      await engine.load(writeTar(layout.members(index)));
    },
    async [Symbol.asyncDispose]() {},
  };
}
