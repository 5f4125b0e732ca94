import { writeFile } from "node:fs/promises";
import { defineBuildah, imageName, refused, withoutMeaning } from "../../buildah/buildah-command.ts";
import { bareId, onWorking } from "../../buildah/working-api.ts";
import { print } from "../../context.ts";
import { Failure, FlagError } from "../../failure.ts";
import { bool, commaList, custom, integer, text } from "../../flags/flag.ts";
import { invalidReference, parseImageName } from "../../format/image-name.ts";
import { pushImage } from "../../shared/push-image.ts";

export const formatFlag = custom<string>("'oci' or 'docker': the image has the fields of both", {
  short: "f",
  hint: "format",
  initial: "oci",
  parse: (value) => {
    if (value === "oci" || value === "docker") return value;
    throw new FlagError(`unrecognized image type "${value}"`);
  },
});

export const command = defineBuildah({
  usage: "[OPTIONS] CONTAINER [IMAGE]",
  summary: "Create an image from a working container",
  flags: {
    ...refused({
      authfile: "log in with boxship login",
      "cert-dir": "configure the registry in config.yaml",
      creds: "log in with boxship login",
      "encrypt-layer": "layers are not encrypted",
      "encryption-key": "layers are not encrypted",
      manifest: "there are no manifest lists here",
      "sign-by": "images are not signed with GPG",
      "tls-verify": "configure the registry in config.yaml",
    }),
    "disable-compression": withoutMeaning(
      bool("Layers are not compressed until they are pushed", { short: "D", initial: true }),
    ),
    format: formatFlag,
    "identity-label": bool("Not supported: no label is added", { hidden: true }),
    iidfile: text("Write the image ID to the file"),
    "omit-history": bool("Omit build history information from the built image"),
    quiet: bool("Don't output progress information when writing images", { short: "q" }),
    rm: bool("Remove the container and its content after committing it to an image"),
    squash: bool("Produce an image with only one layer"),
    timestamp: integer("Set created timestamp to epoch seconds to allow for deterministic builds"),
    unsetenv: commaList("Unset env from final image"),
  },
  async run(context, { flags, changed, operands: [container, target, ...more] }) {
    if (container === undefined) throw new Failure("container ID must be specified");
    if (more.length > 0) throw new Failure("too many arguments specified");
    if (!flags["disable-compression"]) {
      throw new Failure("--disable-compression=false is not supported: layers are compressed when they are pushed");
    }
    if (flags["identity-label"]) throw new Failure("--identity-label is not supported: no label is added");
    const name = target === undefined ? undefined : imageName(target);
    const parsed = name === undefined ? undefined : parseImageName(name);
    if (name !== undefined && parsed === undefined) throw new Failure(invalidReference(name));
    const { id } = await onWorking<{ readonly id: string }>(context, "POST", container, "/commit", {
      body: {
        names: name === undefined ? [] : [name],
        squash: flags.squash,
        omitHistory: flags["omit-history"],
        unsetEnv: flags.unsetenv,
        ...(changed.has("timestamp") ? { timestamp: flags.timestamp } : {}),
      },
    });
    if (target?.startsWith("docker://") && parsed !== undefined) {
      await pushImage(context, parsed, {
        tag: parsed.tag ?? "latest",
        output: flags.quiet ? undefined : context.stderr,
      });
    }
    if (flags.iidfile !== "") await writeFile(flags.iidfile, id);
    if (flags.rm) await onWorking(context, "DELETE", container);
    print(context, bareId(id));
  },
});
