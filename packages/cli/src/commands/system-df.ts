import { defineCommand } from "../command.ts";
import { type Context, print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";
import { containerRow } from "../format/container-row.ts";
import { type DiskUsage, usageLines, usageRow } from "../format/disk-usage.ts";
import { imageLines, imageRow } from "../format/image-row.ts";
import { formatRows } from "../format/list-writer.ts";
import { volumeRow } from "../format/volume-row.ts";
import { formatFlag } from "../shared/list-defaults.ts";

const SUMMARY = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
const IMAGES =
  "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const CONTAINERS =
  "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";
const VOLUMES = "table {{.Name}}\t{{.Links}}\t{{.Size}}";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show disk usage",
  flags: {
    format: formatFlag,
    verbose: bool("Show detailed information on space usage", { short: "v" }),
  },
  async run(context, { flags }) {
    const usage = await context.api.json<DiskUsage>("GET", "/system/df");
    const view = { truncate: true, now: Date.now() };
    if (!flags.verbose) {
      const format = flags.format === "" || flags.format === "table" ? SUMMARY : flags.format;
      context.stdout.write(formatRows(usageRow, usageLines(usage), format, view));
      return;
    }
    if (flags.format !== "") throw new Failure("the verbose and the format options conflict");
    printDetails(context, usage);
  },
});

function printDetails(context: Context, usage: DiskUsage): void {
  const view = { truncate: true, now: Date.now() };
  const images = (usage.Images ?? []).flatMap((image) => imageLines(image, false, false));
  print(context, "Images space usage:\n");
  context.stdout.write(formatRows(imageRow, images, IMAGES, view));
  print(context, "\nContainers space usage:\n");
  context.stdout.write(formatRows(containerRow, usage.Containers ?? [], CONTAINERS, view));
  print(context, "\nLocal Volumes space usage:\n");
  context.stdout.write(formatRows(volumeRow, usage.Volumes ?? [], VOLUMES, view));
}
