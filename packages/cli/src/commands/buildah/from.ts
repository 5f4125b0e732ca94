import { writeFile } from "node:fs/promises";
import { isNotFound } from "../../api-client/api-error.ts";
import { defineBuildah, imageName, refused } from "../../buildah/buildah-command.ts";
import { createWorking } from "../../buildah/working-api.ts";
import { isolationFlag, settingsFlags, settingsOf } from "../../buildah/working-flags.ts";
import { pullImage } from "../../container-options/create-container.ts";
import { type Context, print } from "../../context.ts";
import { Failure, FlagError } from "../../failure.ts";
import { bool, custom, text } from "../../flags/flag.ts";
import { imagePath } from "../../shared/container-path.ts";

/** How `--pull` may be written, and what it means. */
const POLICIES: Readonly<Record<string, "missing" | "always" | "never">> = {
  true: "missing",
  missing: "missing",
  ifmissing: "missing",
  ifnewer: "missing",
  false: "missing",
  always: "always",
  never: "never",
};

export const pullFlag = custom<"missing" | "always" | "never">(
  'When to pull the image: "missing", "always" or "never"',
  {
    hint: "policy",
    initial: "missing",
    parse: (value) => {
      const policy = POLICIES[value.toLowerCase()];
      if (policy === undefined) throw new FlagError(`unrecognized pull type ${value}`);
      return policy;
    },
  },
);

export const command = defineBuildah({
  usage: "[OPTIONS] IMAGE | scratch",
  summary: "Create a working container based on an image",
  flags: {
    ...settingsFlags,
    ...refused({
      authfile: "log in with boxship login",
      "cert-dir": "configure the registry in config.yaml",
      creds: "log in with boxship login",
      device: "use boxship run",
      dns: "name a network with the name servers",
      "security-opt": "use boxship run",
      "tls-verify": "configure the registry in config.yaml",
      userns: "user namespaces are the engine's own",
    }),
    arch: text("Set the ARCH of the image instead of the architecture of the host"),
    cidfile: text("Write the container ID to the file"),
    format: text('Accepted: the image has all fields of both formats ("oci", "docker")', { short: "f", hidden: true }),
    isolation: isolationFlag,
    name: text("Name for the working container"),
    os: text("Prefer OS instead of the running OS when pulling images"),
    platform: text("Set the OS/ARCH/VARIANT of the image"),
    pull: { ...pullFlag, bare: "true" },
    "pull-always": bool("Pull the image even if the named image is present", { hidden: true }),
    "pull-never": bool("Do not pull the image", { hidden: true }),
    quiet: bool("Don't output progress information when pulling images", { short: "q" }),
    variant: text("Override the variant of the specified image"),
  },
  async run(context, { flags, operands }) {
    const [image, ...more] = operands;
    if (image === undefined) throw new Failure('an image name (or "scratch") must be specified');
    if (more.length > 0) throw new Failure("too many arguments specified");
    const { arch, os, variant } = flags;
    const platform = flags.platform || [os || "linux", arch, variant].filter((part) => part !== "").join("/");
    const from = image === "scratch" ? image : imageName(image);
    const policy = flags["pull-always"] ? "always" : flags["pull-never"] ? "never" : flags.pull;
    const asked = flags.platform !== "" || arch !== "" ? platform : "";
    if (from !== "scratch") await fetchImage(context, from, { policy, platform: asked, quiet: flags.quiet });
    const { id, name } = await createWorking(context, {
      from,
      settings: settingsOf(flags),
      ...(flags.name === "" ? {} : { name: flags.name }),
    });
    if (flags.cidfile !== "") await writeFile(flags.cidfile, id);
    print(context, name);
  },
});

interface Fetch {
  readonly policy: "missing" | "always" | "never";
  readonly platform: string;
  readonly quiet: boolean;
}

/** Sees to it that an image is here. */
export async function fetchImage(context: Context, image: string, { policy, platform, quiet }: Fetch): Promise<void> {
  if (policy === "always") {
    await pullImage(context, image, { platform, quiet });
    return;
  }
  try {
    await context.api.call("GET", imagePath(image, "/json"));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    if (policy === "never") throw new Failure(`${image}: image not known`);
    await pullImage(context, image, { platform, quiet });
  }
}
