import { imageFromDirectory, openDestination } from "@boxship/images";
import { defineCommand } from "../command.ts";
import { type Context, print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, list, text } from "../flags/flag.ts";
import { parseFlags } from "../flags/parse-flags.ts";
import { bootstrapDistribution, type Distribution, sourceDateEpoch } from "../shared/bootstrap-distribution.ts";
import { imageFlags } from "../skopeo/flags.ts";
import { surroundings } from "../skopeo/surroundings.ts";
import { showProgress } from "../stream/progress.ts";

const KINDS = ["debian", "busybox"];
const DISTRIBUTIONS: readonly Distribution[] = ["ubuntu", "alpine"];

export const command = defineCommand({
  usage: "[OPTIONS] debian|busybox|ubuntu|alpine | --from DIRECTORY NAME",
  summary: "Make a base image on the spot from packages, of this machine or of a mirror, without a registry",
  flags: {
    cmd: list("Word of the default command, with --from", { hint: "word" }),
    from: text("Make the image of the files in this directory", { hint: "directory" }),
    key: list("File of a public key (alpine) or keyring (ubuntu) that the packages are signed with", { hint: "path" }),
    mirror: text("Address of the distribution's archive, with ubuntu and alpine", { hint: "url" }),
    package: list("Package beside the base system, with alpine", { hint: "name" }),
    quiet: bool("Only print the image's name", { short: "q" }),
    release: text("Release of the distribution, with ubuntu and alpine", { hint: "name" }),
  },
  operands: { min: 1, max: 1 },
  async run(context, { flags, operands: [kind = ""] }) {
    const distribution = flags.from === "" ? DISTRIBUTIONS.find((known) => known === kind) : undefined;
    const { mirror, release, key, package: packages } = flags;
    if (distribution === undefined && [mirror, release, ...key, ...packages].some((value) => value !== "")) {
      throw new Failure("--mirror, --release, --key and --package go with ubuntu and alpine only");
    }
    if (flags.from !== "") return fromDirectory(context, flags.from, kind, flags.cmd);
    if (flags.cmd.length > 0) throw new Failure("--cmd goes with --from only");
    if (distribution !== undefined) {
      return bootstrapDistribution(context, distribution, {
        mirror: mirror || undefined,
        release: release || undefined,
        keys: key,
        packages,
        onProgress: (line) => void (flags.quiet || context.stderr.write(`${line}\n`)),
      });
    }
    if (!KINDS.includes(kind)) {
      throw new Failure(`cannot bootstrap ${JSON.stringify(kind)}`, {
        remedy: `choose one of ${[...KINDS, ...DISTRIBUTIONS].join(", ")}, or unpack its root file system and name that with --from`,
      });
    }
    const response = await context.api.open("POST", "/boxship/images/bootstrap", { query: { kind } });
    let made: { readonly ID?: string; readonly Tags?: readonly string[] } = {};
    await showProgress(response.body, {
      output: flags.quiet ? undefined : context.stderr,
      onAux: (aux) => (made = aux as typeof made),
    });
    print(context, made.Tags?.[0] ?? made.ID ?? kind);
  },
});

/** Packed here, with the user's rights, and loaded into the engine. */
async function fromDirectory(
  context: Context,
  directory: string,
  image: string,
  cmd: readonly string[],
): Promise<void> {
  const epoch = sourceDateEpoch(context) ?? 0;
  await using around = surroundings(context, parseFlags(imageFlags, []).values, undefined);
  await using destination = await openDestination({ transport: "containers-storage", image }, around);
  await imageFromDirectory({ directory, destination, epoch, ...(cmd.length > 0 && { config: { Cmd: cmd } }) });
  print(context, image);
}
