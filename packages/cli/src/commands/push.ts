import { defineCommand } from "../command.ts";
import { contentTrust } from "../container-options/container-flags.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import { fullName, invalidReference, parseImageName } from "../format/image-name.ts";
import { platformJson } from "../format/platform.ts";
import { pushImage } from "../shared/push-image.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG]",
  summary: "Upload an image to a registry",
  flags: {
    "all-tags": bool("Push all tags of an image to the repository", { short: "a" }),
    "disable-content-trust": { ...contentTrust, bare: "true" },
    platform: text(
      'Push a platform-specific manifest as a single-platform image to the registry. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: bool("Suppress verbose output", { short: "q" }),
  },
  operands: { min: 1, max: 1 },
  completes: "image",
  async run(context, { flags, operands: [image = ""] }) {
    const name = parseImageName(image);
    if (name === undefined) throw new Failure(invalidReference(image));
    const bare = name.tag === undefined && name.digest === undefined;
    if (flags["all-tags"] && !bare) throw new Failure("tag can't be used with --all-tags/-a");
    if (name.digest !== undefined) throw new Failure("cannot push a digest reference");
    if (bare && !flags["all-tags"] && !flags.quiet) print(context, "Using default tag: latest");
    const tag = flags["all-tags"] ? undefined : (name.tag ?? "latest");
    const platform = platformJson(flags.platform);
    await pushImage(context, name, { tag, platform, output: flags.quiet ? undefined : context.stdout });
    if (flags.quiet) print(context, flags["all-tags"] ? fullName(name).replace(/:latest$/, "") : fullName(name));
  },
});
