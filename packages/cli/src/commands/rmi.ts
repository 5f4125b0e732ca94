import { isNotFound } from "../api-client/api-error.ts";
import { defineCommand } from "../command.ts";
import { print, warn } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";
import { imagePath } from "../shared/container-path.ts";
import { throwAll } from "../shared/operate-on-each.ts";

interface Deleted {
  readonly Untagged?: string;
  readonly Deleted?: string;
}

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Remove one or more images",
  flags: {
    force: bool("Force removal of the image", { short: "f" }),
    "no-prune": bool("Do not delete untagged parents"),
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "image",
  async run(context, { flags, operands }) {
    const failures: Failure[] = [];
    for (const image of operands) {
      try {
        const items = await context.api.json<readonly Deleted[]>("DELETE", imagePath(image), {
          query: { force: flags.force, noprune: flags["no-prune"] },
        });
        for (const { Deleted, Untagged } of items) {
          print(context, Deleted ? `Deleted: ${Deleted}` : `Untagged: ${Untagged ?? ""}`);
        }
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        failures.push(error);
      }
    }
    if (flags.force && failures.every(isNotFound)) for (const { message } of failures) warn(context, message);
    else throwAll(failures);
  },
});
