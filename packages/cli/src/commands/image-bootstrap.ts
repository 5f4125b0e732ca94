import { imageFromDirectory, openDestination } from "@boxship/images";
import { defineCommand } from "../command.ts";
import { type Context, print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, list, text } from "../flags/flag.ts";
import { parseFlags } from "../flags/parse-flags.ts";
import { imageFlags } from "../skopeo/flags.ts";
import { surroundings } from "../skopeo/surroundings.ts";
import { showProgress } from "../stream/progress.ts";

const KINDS = ["debian", "busybox"];
/** Known, and not made here. */
const REFUSED: Readonly<Record<string, string>> = {
  alpine:
    "Alpine's packages need its own package manager, apk, which the distributions that Boxship runs on do not have",
  ubuntu: "Ubuntu's packages need its archive keyring, which this machine's distribution does not bring",
};

export const command = defineCommand({
  usage: "[OPTIONS] debian|busybox | --from DIRECTORY NAME",
  summary: "Make a base image on the spot from this machine's distribution packages, without a registry",
  flags: {
    cmd: list("Word of the default command, with --from", { hint: "word" }),
    from: text("Make the image of the files in this directory", { hint: "directory" }),
    quiet: bool("Only print the image's name", { short: "q" }),
  },
  operands: { min: 1, max: 1 },
  async run(context, { flags, operands: [kind = ""] }) {
    if (flags.from !== "") return fromDirectory(context, flags.from, kind, flags.cmd);
    if (flags.cmd.length > 0) throw new Failure("--cmd goes with --from only");
    if (!KINDS.includes(kind)) {
      const why = Object.hasOwn(REFUSED, kind) ? `: ${REFUSED[kind]}` : "";
      throw new Failure(`cannot bootstrap ${JSON.stringify(kind)}${why}`, {
        remedy: `choose one of ${KINDS.join(", ")}, or unpack its root file system and name that with --from`,
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
  const epoch = Number(context.env["SOURCE_DATE_EPOCH"] ?? 0);
  if (!Number.isSafeInteger(epoch) || epoch < 0) throw new Failure("SOURCE_DATE_EPOCH is no number of seconds");
  await using around = surroundings(context, parseFlags(imageFlags, []).values, undefined);
  await using destination = await openDestination({ transport: "containers-storage", image }, around);
  await imageFromDirectory({ directory, destination, epoch, ...(cmd.length > 0 && { config: { Cmd: cmd } }) });
  print(context, image);
}
