import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";
import { invalidReference, parseImageName } from "../format/image-name.ts";
import { imagePath } from "../shared/container-path.ts";

export const command = defineCommand({
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
  flags: {},
  operands: { min: 2, max: 2 },
  completes: "image",
  async run(context, { operands: [source = "", target = ""] }) {
    const name = parseImageName(target);
    if (name === undefined) {
      throw new Failure(
        `Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: ${invalidReference(target)}`,
      );
    }
    if (name.digest !== undefined) throw new Failure("refusing to create a tag with a digest reference");
    await context.api.call("POST", imagePath(source, "/tag"), {
      query: { repo: name.repository, tag: name.tag ?? "latest" },
    });
  },
});
