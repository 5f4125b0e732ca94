import { isNotFound } from "../../api-client/api-error.ts";
import { defineBuildah, imageName } from "../../buildah/buildah-command.ts";
import { Failure } from "../../failure.ts";
import { invalidReference, parseImageName } from "../../format/image-name.ts";
import { imagePath } from "../../shared/container-path.ts";

export const command = defineBuildah({
  usage: "IMAGE NAME...",
  summary: "Add an additional name to a local image",
  flags: {},
  async run(context, { operands: [image, ...names] }) {
    if (image === undefined || names.length === 0) {
      throw new Failure("image name and at least one new name must be specified");
    }
    for (const text of names) {
      const name = parseImageName(imageName(text));
      if (name === undefined) throw new Failure(invalidReference(text));
      try {
        const query = { repo: name.repository, tag: name.tag ?? "latest" };
        await context.api.call("POST", imagePath(imageName(image), "/tag"), { query });
      } catch (error) {
        if (isNotFound(error)) throw new Failure(`${image}: image not known`, { cause: error });
        throw error;
      }
    }
  },
});
