import { addImages, describeImage } from "@boxship/images";
import { formatReference, parseReference, withDefaultTag } from "@boxship/oci";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";
import { listName, manifestLists } from "../shared/manifest-lists.ts";
import { accessFlags, registryAccess } from "../shared/registry-access.ts";

export const command = defineCommand({
  usage: "[OPTIONS] MANIFEST_LIST MANIFEST [MANIFEST...]",
  summary: "Create a local manifest list for annotating and pushing to a registry",
  flags: {
    ...accessFlags,
    amend: bool("Amend an existing manifest list", { short: "a" }),
    insecure: bool("Allow communication with an insecure registry"),
  },
  operands: { min: 2, max: Number.POSITIVE_INFINITY },
  async run(context, { flags, operands: [name = "", ...images] }) {
    const target = listName(name);
    const lists = await manifestLists(context);
    const known = await lists.find(target);
    if (known !== undefined && !flags.amend) {
      throw new Failure(`refusing to amend an existing manifest list with no --amend flag`);
    }
    const access = { ...flags, "tls-verify": flags.insecure ? false : flags["tls-verify"] };
    let list = known ?? { name: formatReference(target), images: [] };
    for (const image of images) {
      const reference = withDefaultTag(parseReference(image));
      await using client = registryAccess(context, access, reference.domain);
      list = addImages(list, [await describeImage(client, reference)]);
    }
    await lists.save(target, list);
    print(context, `Created manifest list ${formatReference(target)}`);
  },
});
