import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";
import { showProgress } from "../stream/progress.ts";

const KINDS = ["debian", "busybox"];

export const command = defineCommand({
  usage: "[OPTIONS] debian|busybox",
  summary: "Make a base image on the spot from this machine's distribution packages, without a registry",
  flags: { quiet: bool("Only print the image's name", { short: "q" }) },
  operands: { min: 1, max: 1 },
  async run(context, { flags, operands: [kind = ""] }) {
    if (!KINDS.includes(kind)) {
      throw new Failure(`cannot bootstrap ${JSON.stringify(kind)}`, { remedy: `choose one of ${KINDS.join(", ")}` });
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
