import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, list, text } from "../flags/flag.ts";
import { invalidReference, parseImageName } from "../format/image-name.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  summary: "Create a new image from a container's changes",
  flags: {
    author: text('Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', { short: "a" }),
    change: list("Apply Dockerfile instruction to the created image", { short: "c" }),
    message: text("Commit message", { short: "m" }),
    pause: bool("Pause container during commit", { short: "p", initial: true }),
  },
  operands: { min: 1, max: 2 },
  completes: "container",
  async run(context, { flags, operands: [container = "", target = ""] }) {
    const name = parseImageName(target);
    if (target !== "" && name === undefined) throw new Failure(invalidReference(target));
    const { Id } = await context.api.json<{ readonly Id: string }>("POST", "/commit", {
      query: {
        container,
        repo: name?.repository,
        tag: name?.tag ?? (name === undefined ? undefined : name.digest),
        comment: flags.message,
        author: flags.author,
        changes: flags.change,
        pause: flags.pause ? "1" : "0",
      },
    });
    print(context, Id);
  },
});
