import { statfs } from "node:fs/promises";
import { InvalidArgument, NotFound } from "@boxship/base";
import type { Engine, ImageView, RegistryCredentials } from "@boxship/engine";
import type { Init } from "@boxship/grpc";
import type { CriHandlers } from "./contract.ts";
import { nanoseconds } from "./door-data.ts";
import type { AuthConfig } from "./messages/config.ts";
import type { Image } from "./messages/status.ts";
import { ifThere } from "./sandboxes.ts";

type ImageHandlers = Pick<CriHandlers, "listImages" | "imageStatus" | "pullImage" | "removeImage" | "imageFsInfo">;

/** The engine's images, whoever pulled or built them. */
export function imageHandlers({ parts, images, system }: Engine): ImageHandlers {
  const find = async (ref: string): Promise<ImageView | undefined> => {
    try {
      return ref === "" ? undefined : await images.get(ref);
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  };
  return {
    async listImages({ filter }) {
      const ref = filter?.image?.image ?? "";
      const found = ref === "" ? await images.list() : [await find(ref)];
      return { images: found.filter((image) => image !== undefined).map(imageOf) };
    },
    async imageStatus({ image, verbose }) {
      const found = await find(image?.image ?? "");
      if (found === undefined) return {};
      return { image: imageOf(found), ...(verbose ? { info: { info: JSON.stringify(found) } } : {}) };
    },
    async pullImage({ image, auth }, signal) {
      const reference = image?.image ?? "";
      if (reference === "") throw new InvalidArgument("the image's name is missing");
      const credentials = auth === undefined ? undefined : credentialsOf(auth);
      const { id } = await images.pull(reference, {
        ...(credentials === undefined ? {} : { credentials }),
        onProgress: () => {},
        signal,
      });
      return { imageRef: id };
    },
    async removeImage({ image }) {
      await ifThere(() => images.remove(image?.image ?? "", { force: true }));
      return {};
    },
    async imageFsInfo() {
      const { root } = parts.options;
      const used = await system.layersSize();
      const { files, ffree } = await statfs(root);
      return {
        imageFilesystems: [
          {
            timestamp: nanoseconds(parts.clock.now()),
            fsId: { mountpoint: root },
            usedBytes: { value: used },
            inodesUsed: { value: files - ffree },
          },
        ],
      };
    },
  };
}

function imageOf({ id, repoTags, repoDigests, size, config }: ImageView): Init<Image> {
  const [user = ""] = (config.user ?? "").split(":");
  return {
    id,
    repoTags,
    repoDigests,
    size,
    ...(user === "" ? {} : /^\d+$/.test(user) ? { uid: { value: Number(user) } } : { username: user }),
    spec: { image: repoTags[0] ?? id },
  };
}

function credentialsOf({ username, password, auth, identityToken, registryToken }: AuthConfig): RegistryCredentials {
  const [user, ...secret] = auth === "" ? [] : Buffer.from(auth, "base64").toString("utf8").split(":");
  return {
    username: username || (user ?? ""),
    password: password || secret.join(":").replace(/\0+$/, ""),
    ...(identityToken === "" ? {} : { identityToken }),
    ...(registryToken === "" ? {} : { registryToken }),
  };
}
