import { InvalidArgument } from "@boxship/base";
import { familiarReference, parseReference, withDefaultTag } from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { ImagesApi } from "../engine-api.ts";
import { bootstrapImage } from "./image-bootstrap.ts";
import { importImage } from "./image-import.ts";
import { loadImages } from "./image-load.ts";
import { pruneImages } from "./image-prune.ts";
import { pullImage } from "./image-pull.ts";
import { pushImage } from "./image-push.ts";
import { inspectRemote } from "./image-remote.ts";
import { removeImage } from "./image-remove.ts";
import { saveImages } from "./image-save.ts";
import { searchImages } from "./image-search.ts";
import { imageHistory, imageView } from "./image-view.ts";

/** The image verbs, bound to one engine. */
export function imagesApi(context: EngineContext): ImagesApi {
  const { images, events } = context;
  return {
    list: async () => images.store.list().map((record) => imageView(context, record)),
    get: async (ref) => imageView(context, images.store.resolve(ref)),
    history: async (ref) => imageHistory(context, images.store.resolve(ref)),
    pull: (reference, options) => images.writing(() => pullImage(context, reference, options)),
    push: (reference, options) => pushImage(context, reference, options),
    search: (term, options) => searchImages(context, term, options),
    inspectRemote: (reference, options) => inspectRemote(context, reference, options),
    async tag(ref, target) {
      const { id } = images.store.resolve(ref);
      const reference = parseReference(target);
      if (reference.digest !== undefined) {
        throw new InvalidArgument("refusing to create a tag with a digest reference", {
          subject: { kind: "image", name: target },
        });
      }
      await images.store.tag(id, withDefaultTag(reference));
      events.publish("image", "tag", id, { name: familiarReference(withDefaultTag(reference)) });
    },
    remove: (ref, options) => removeImage(context, ref, options),
    prune: (options) => pruneImages(context, options),
    save: (refs, options) => saveImages(context, refs, options),
    load: (archive, options) => images.writing(() => loadImages(context, archive, options)),
    import: (source, options) => images.writing(() => importImage(context, source, options)),
    bootstrap: (kind, onProgress, signal) => images.writing(() => bootstrapImage(context, kind, onProgress, signal)),
  };
}
