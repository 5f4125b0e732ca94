import { repackBundle } from "@boxship/images";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool, list, text } from "../flags/flag.ts";
import { layoutImage } from "../shared/layout-image.ts";

export const command = defineCommand({
  usage: "[OPTIONS] --image PATH[:TAG] BUNDLE",
  summary: "Make an image of a bundle that was unpacked and changed, in the layout that it came from",
  flags: {
    "history.author": text("Author in the history", { hint: "name" }),
    "history.comment": text("Comment in the history"),
    "history.created": text("Time in the history, and of the image", { hint: "time" }),
    "history.created_by": text("What made the layer, in the history", { initial: "umoci repack" }),
    image: text("The layout's directory and the name of the new image", { hint: "path[:tag]" }),
    "mask-path": list("Path whose changes do not count", { hint: "path" }),
    "no-history": bool("Add no entry to the history"),
    "no-mask-volumes": bool("Count changes in the image's volumes"),
    "refresh-bundle": bool("Let the bundle stand for the new image from now on"),
  },
  operands: { min: 1, max: 1 },
  async run(context, { flags, operands: [bundle = ""] }) {
    const epoch = context.env["SOURCE_DATE_EPOCH"];
    const now = epoch === undefined ? new Date() : new Date(Number(epoch) * 1000);
    const created = flags["history.created"] || now.toISOString();
    const { "history.author": author, "history.comment": comment } = flags;
    const history = {
      created,
      created_by: flags["history.created_by"],
      ...(author !== "" && { author }),
      ...(comment !== "" && { comment }),
    };
    const digest = await repackBundle({
      ...layoutImage(flags.image),
      bundle,
      created,
      history: flags["no-history"] ? undefined : history,
      masked: flags["mask-path"],
      maskVolumes: !flags["no-mask-volumes"],
      refresh: flags["refresh-bundle"],
    });
    print(context, digest);
  },
});
