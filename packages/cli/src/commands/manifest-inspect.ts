import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { authHeaders } from "../credentials/registry-auth.ts";
import { Failure } from "../failure.ts";
import { invalidReference, parseImageName, withDefaultTag } from "../format/image-name.ts";

export const command = defineCommand({
  usage: "IMAGE",
  summary: "Display an image manifest, or manifest list, as its registry keeps it",
  flags: {},
  operands: { min: 1, max: 1 },
  completes: "image",
  async run(context, { operands: [image = ""] }) {
    const name = parseImageName(image);
    if (name === undefined) throw new Failure(invalidReference(image));
    const path = withDefaultTag(name).split("/").map(encodeURIComponent).join("/");
    const document = await context.api.json<unknown>("GET", `/boxship/distribution/${path}/manifest`, {
      headers: await authHeaders(await context.config(), image),
    });
    print(context, JSON.stringify(document, undefined, "\t"));
  },
});
