import { encodeList } from "@boxship/images";
import { parseReference } from "@boxship/oci";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { authHeaders } from "../credentials/registry-auth.ts";
import { Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";
import { invalidReference, parseImageName, withDefaultTag } from "../format/image-name.ts";
import { manifestLists } from "../shared/manifest-lists.ts";
import { registryAccess } from "../shared/registry-access.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE",
  summary: "Display an image manifest, or manifest list, as its registry keeps it",
  flags: { insecure: bool("Allow communication with an insecure registry") },
  operands: { min: 1, max: 1 },
  completes: "image",
  async run(context, { flags, operands: [image = ""] }) {
    const name = parseImageName(image);
    if (name === undefined) throw new Failure(invalidReference(image));
    const local = await (await manifestLists(context)).find(parseReference(withDefaultTag(name)));
    if (local !== undefined) {
      print(context, JSON.stringify(JSON.parse(Buffer.from(encodeList(local).bytes).toString()), undefined, "\t"));
      return;
    }
    if (flags.insecure) {
      const reference = parseReference(withDefaultTag(name));
      await using client = registryAccess(
        context,
        { authfile: "", "cert-dir": "", creds: "", "tls-verify": false },
        reference.domain,
      );
      const { bytes } = await client.manifest(reference);
      print(context, JSON.stringify(JSON.parse(Buffer.from(bytes).toString()), undefined, "\t"));
      return;
    }
    const path = withDefaultTag(name).split("/").map(encodeURIComponent).join("/");
    const document = await context.api.json<unknown>("GET", `/boxship/distribution/${path}/manifest`, {
      headers: await authHeaders(await context.config(), image),
    });
    print(context, JSON.stringify(document, undefined, "\t"));
  },
});
