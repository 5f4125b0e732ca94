import { defineBuildah, imageName, refused } from "../../buildah/buildah-command.ts";
import { bareId } from "../../buildah/working-api.ts";
import { print } from "../../context.ts";
import { Failure } from "../../failure.ts";
import { bool, text } from "../../flags/flag.ts";
import { imagePath } from "../../shared/container-path.ts";
import { fetchImage, pullFlag } from "./from.ts";

export const command = defineBuildah({
  usage: "[OPTIONS] IMAGE",
  summary: "Pull an image from its registry",
  flags: {
    ...refused({
      "all-tags": "use boxship pull --all-tags",
      authfile: "log in with boxship login",
      "cert-dir": "configure the registry in config.yaml",
      creds: "log in with boxship login",
      "tls-verify": "configure the registry in config.yaml",
    }),
    platform: text("Prefer OS/ARCH instead of the current operating system and architecture for choosing images"),
    policy: pullFlag,
    quiet: bool("Don't output progress information when pulling images", { short: "q" }),
  },
  async run(context, { flags, operands: [image, ...more] }) {
    if (image === undefined) throw new Failure("an image name must be specified");
    if (more.length > 0) throw new Failure("too many arguments specified");
    const name = imageName(image);
    await fetchImage(context, name, { policy: flags.policy, platform: flags.platform, quiet: flags.quiet });
    const { Id } = await context.api.json<{ readonly Id: string }>("GET", imagePath(name, "/json"));
    print(context, bareId(Id));
  },
});
