import { pushList } from "@boxship/images";
import { formatReference, parseReference } from "@boxship/oci";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool } from "../flags/flag.ts";
import { listName, manifestLists } from "../shared/manifest-lists.ts";
import { accessFlags, registryAccess } from "../shared/registry-access.ts";

export const command = defineCommand({
  usage: "[OPTIONS] MANIFEST_LIST",
  summary: "Push a manifest list to a repository",
  flags: {
    ...accessFlags,
    insecure: bool("Allow push to an insecure registry"),
    purge: bool("Remove the local manifest list after push", { short: "p" }),
  },
  operands: { min: 1, max: 1 },
  async run(context, { flags, operands: [name = ""] }) {
    const target = listName(name);
    const lists = await manifestLists(context);
    const list = await lists.get(target);
    const access = { ...flags, "tls-verify": flags.insecure ? false : flags["tls-verify"] };
    await using client = registryAccess(context, access, target.domain);
    const pushed = await pushList(client, list, target, parseReference);
    for (const { descriptor } of list.images) {
      const { digest } = descriptor;
      const pushedAs = formatReference({ ...target, digest }).replace(/:[^:/@]+@/, "@");
      print(context, `Pushed ref ${pushedAs} with digest: ${digest}`);
    }
    print(context, pushed.digest);
    if (flags.purge) await lists.remove(target);
  },
});
