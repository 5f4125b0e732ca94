import { defineBuildah, imageName, refused } from "../../buildah/buildah-command.ts";
import { Failure } from "../../failure.ts";
import { bool } from "../../flags/flag.ts";
import { invalidReference, parseImageName } from "../../format/image-name.ts";
import { imagePath } from "../../shared/container-path.ts";
import { pushImage } from "../../shared/push-image.ts";

export const command = defineBuildah({
  usage: "[OPTIONS] IMAGE [DESTINATION]",
  summary: "Push an image to a registry",
  flags: {
    ...refused({
      authfile: "log in with boxship login",
      "cert-dir": "configure the registry in config.yaml",
      creds: "log in with boxship login",
      digestfile: "see boxship image inspect after the push",
      "sign-by": "images are not signed with GPG",
      "tls-verify": "configure the registry in config.yaml",
    }),
    quiet: bool("Don't output progress information when pushing images", { short: "q" }),
  },
  async run(context, { flags, operands: [image, destination, ...more] }) {
    if (image === undefined) throw new Failure("at least a source image ID must be specified");
    if (more.length > 0) throw new Failure("too many arguments specified");
    const target = imageName(destination ?? image);
    const name = parseImageName(target);
    if (name === undefined) throw new Failure(invalidReference(target));
    const tag = name.tag ?? "latest";
    if (destination !== undefined && target !== imageName(image)) {
      await context.api.call("POST", imagePath(imageName(image), "/tag"), { query: { repo: name.repository, tag } });
    }
    await pushImage(context, name, { tag, output: flags.quiet ? undefined : context.stderr });
  },
});
