import { defineCommand } from "../command.ts";
import { warn } from "../context.ts";
import { bool, filter } from "../flags/flag.ts";
import { imageFormat, imageLines, imageRow, type ListedImage } from "../format/image-row.ts";
import { formatRows } from "../format/list-writer.ts";
import { chooseFormat, filterQuery, formatFlag } from "../shared/list-defaults.ts";

/** Words that belong after `image`, not after `images`. */
const SUBCOMMANDS = new Set(["bootstrap", "history", "inspect", "ls", "list", "prune", "pull", "rm", "tag"]);

export const command = defineCommand({
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  summary: "List images",
  flags: {
    all: bool("Show all images (default hides intermediate images)", { short: "a" }),
    digests: bool("Show digests"),
    filter: filter(),
    format: formatFlag,
    "no-trunc": bool("Don't truncate output"),
    quiet: bool("Only show image IDs", { short: "q" }),
  },
  operands: { max: 1 },
  completes: "image",
  async run(context, { flags, operands: [name], path }) {
    const filters =
      name === undefined ? flags.filter : { ...flags.filter, reference: [...(flags.filter["reference"] ?? []), name] };
    const images = await context.api.json<readonly ListedImage[]>("GET", "/images/json", {
      query: { all: flags.all, digests: flags.digests, filters: filterQuery(filters) },
    });
    const chosen = await chooseFormat(context, flags.format, "imagesFormat", flags.quiet);
    const format = imageFormat(chosen, flags.quiet, flags.digests);
    const showsDigest = flags.digests || format.includes("{{.Digest}}");
    const lines = images.flatMap((image) => imageLines(image, flags.digests, showsDigest));
    const view = { truncate: !flags["no-trunc"], now: Date.now() };
    context.stdout.write(formatRows(imageRow, lines, format, view));
    if (name !== undefined && images.length === 0 && path === "images" && SUBCOMMANDS.has(name)) {
      warn(context, `\nNo images found matching ${JSON.stringify(name)}: did you mean "boxship image ${name}"?`);
    }
  },
});
