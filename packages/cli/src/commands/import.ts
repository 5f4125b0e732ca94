import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";
import { list, text } from "../flags/flag.ts";
import { invalidReference, parseImageName } from "../format/image-name.ts";
import { archiveInput } from "../shared/archive-input.ts";
import { showProgress } from "../stream/progress.ts";

export const command = defineCommand({
  usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
  summary: "Import the contents from a tarball to create a filesystem image",
  flags: {
    change: list("Apply Dockerfile instruction to the created image", { short: "c" }),
    message: text("Set commit message for imported image", { short: "m" }),
    platform: text("Set platform if server is multi-platform capable"),
  },
  operands: { min: 1, max: 2 },
  completes: "file",
  async run(context, { flags, operands: [source = "", target = ""] }) {
    const remote = /^https?:\/\//.test(source);
    const stream = remote ? undefined : await archiveInput(context, source);
    const name = parseImageName(target);
    if (target !== "" && name === undefined) throw new Failure(invalidReference(target));
    const response = await context.api.open("POST", "/images/create", {
      query: {
        fromSrc: remote ? source : "-",
        repo: name?.repository,
        tag: name?.tag ?? (name === undefined ? undefined : name.digest),
        message: flags.message,
        changes: flags.change,
        platform: flags.platform,
      },
      ...(stream === undefined ? {} : { stream }),
    });
    await showProgress(response.body, { output: context.stdout });
  },
});
