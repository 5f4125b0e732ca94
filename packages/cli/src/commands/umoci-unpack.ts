import { unpackBundle } from "@boxship/images";
import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";
import { bool, list, text } from "../flags/flag.ts";
import { layoutImage } from "../shared/layout-image.ts";

export const command = defineCommand({
  usage: "[OPTIONS] --image PATH[:TAG] BUNDLE",
  summary: "Unpack an image of an OCI layout into a bundle for an OCI runtime",
  flags: {
    "gid-map": list("Mapping of groups; not supported", { hint: "map" }),
    image: text("The image: a layout's directory and a name in it, latest if none is said", { hint: "path[:tag]" }),
    "keep-dirlinks": bool("Keep links to directories that a layer has directories for; not supported"),
    rootless: bool("Unpack without root; not supported"),
    "uid-map": list("Mapping of users; not supported", { hint: "map" }),
  },
  operands: { min: 1, max: 1 },
  async run(_context, { flags, operands: [bundle = ""] }) {
    for (const name of ["gid-map", "uid-map"] as const) {
      if (flags[name].length > 0) throw new Failure(`--${name} is not supported`);
    }
    for (const name of ["keep-dirlinks", "rootless"] as const) {
      if (flags[name]) throw new Failure(`--${name} is not supported`);
    }
    await unpackBundle({ ...layoutImage(flags.image), bundle });
  },
});
