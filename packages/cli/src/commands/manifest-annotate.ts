import { annotateImage } from "@boxship/images";
import { parseReference, withDefaultTag } from "@boxship/oci";
import { defineCommand } from "../command.ts";
import { commaList, text } from "../flags/flag.ts";
import { listName, manifestLists } from "../shared/manifest-lists.ts";

export const command = defineCommand({
  usage: "[OPTIONS] MANIFEST_LIST MANIFEST",
  summary: "Add additional information to a local image manifest",
  flags: {
    arch: text("Set architecture"),
    os: text("Set operating system"),
    "os-features": commaList("Set operating system feature"),
    "os-version": text("Set operating system version"),
    variant: text("Set architecture variant"),
  },
  operands: { min: 2, max: 2 },
  async run(context, { flags, operands: [name = "", image = ""] }) {
    const target = listName(name);
    const lists = await manifestLists(context);
    const changed = annotateImage(await lists.get(target), withDefaultTag(parseReference(image)), {
      os: flags.os || undefined,
      architecture: flags.arch || undefined,
      variant: flags.variant || undefined,
      osVersion: flags["os-version"] || undefined,
      osFeatures: flags["os-features"].length === 0 ? undefined : flags["os-features"],
    });
    await lists.save(target, changed);
  },
});
