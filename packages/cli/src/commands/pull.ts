import { defineCommand } from "../command.ts";
import { contentTrust } from "../container-options/container-flags.ts";
import { print } from "../context.ts";
import { authHeaders } from "../credentials/registry-auth.ts";
import { Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import { fullName, invalidReference, parseImageName, pullTarget } from "../format/image-name.ts";
import { showProgress } from "../stream/progress.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "Download an image from a registry",
  flags: {
    "all-tags": bool("Download all tagged images in the repository", { short: "a" }),
    "disable-content-trust": { ...contentTrust, bare: "true" },
    platform: text("Set platform if server is multi-platform capable"),
    quiet: bool("Suppress verbose output", { short: "q" }),
  },
  operands: { min: 1, max: 1 },
  completes: "image",
  async run(context, { flags, operands: [image = ""] }) {
    const name = parseImageName(image);
    if (name === undefined) throw new Failure(invalidReference(image));
    const bare = name.tag === undefined && name.digest === undefined;
    if (flags["all-tags"] && !bare) throw new Failure("tag can't be used with --all-tags/-a");
    if (bare && !flags.quiet && !flags["all-tags"]) print(context, "Using default tag: latest");
    const response = await context.api.open("POST", "/images/create", {
      query: {
        ...pullTarget(name, flags["all-tags"]),
        platform: flags.platform,
      },
      headers: await authHeaders(await context.config(), image),
    });
    await showProgress(response.body, { output: flags.quiet ? undefined : context.stdout });
    print(context, flags["all-tags"] ? fullName(name).replace(/:latest$/, "") : fullName(name));
  },
});
