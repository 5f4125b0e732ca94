import { defineCommand } from "../command.ts";
import { type Context, print } from "../context.ts";
import { bool } from "../flags/flag.ts";
import { containerRow, type ListedContainer } from "../format/container-row.ts";
import { cacheLine, cacheRow, type DiskUsage, usageLines, usageRow } from "../format/disk-usage.ts";
import { type ImageLine, imageLines, imageRow } from "../format/image-row.ts";
import { formatJson } from "../format/json-writer.ts";
import { formatRows } from "../format/list-writer.ts";
import type { RowType } from "../format/row.ts";
import { humanSize } from "../format/units.ts";
import { volumeRow } from "../format/volume-row.ts";
import { formatFlag } from "../shared/list-defaults.ts";

const SUMMARY = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
const IMAGES =
  "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const CONTAINERS =
  "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";
const VOLUMES = "table {{.Name}}\t{{.Links}}\t{{.Size}}";
const CACHE =
  "table {{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}";

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
    if (flags.format === "" || flags.format === "table") printDetails(context, usage);
    else context.stdout.write(formatDetails(usage, flags.format));
  },
});

function imagesOf({ Images }: DiskUsage): readonly ImageLine[] {
  return (Images ?? []).flatMap((image) => imageLines(image, false, false));
}

/** Without the size of the image, as Docker shows them here. */
function containersOf({ Containers }: DiskUsage): readonly ListedContainer[] {
  return (Containers ?? []).map((container) => ({ ...container, SizeRootFs: 0 }));
}

function printDetails(context: Context, usage: DiskUsage): void {
  const view = { truncate: true, now: Date.now() };
  print(context, "Images space usage:\n");
  context.stdout.write(formatRows(imageRow, imagesOf(usage), IMAGES, view));
  print(context, "\nContainers space usage:\n");
  context.stdout.write(formatRows(containerRow, containersOf(usage), CONTAINERS, view));
  print(context, "\nLocal Volumes space usage:\n");
  context.stdout.write(formatRows(volumeRow, usage.Volumes ?? [], VOLUMES, view));
  print(context, `\nBuild cache usage: ${humanSize(cacheLine(usage).size)}\n`);
  context.stdout.write(formatRows(cacheRow, usage.BuildCache ?? [], CACHE, view));
}

/** The four tables as lists of their rows, for a template or as JSON. */
function formatDetails(usage: DiskUsage, format: string): string {
  const view = { truncate: false, now: Date.now() };
  const rows = <T>(type: RowType<T>, list: readonly T[]): unknown =>
    formatRows(type, list, "json", view)
      .split("\n")
      .filter((line) => line !== "")
      .map((line): unknown => JSON.parse(line));
  const details = {
    Images: rows(imageRow, imagesOf(usage)),
    Containers: rows(containerRow, containersOf(usage)),
    Volumes: rows(volumeRow, usage.Volumes ?? []),
    BuildCache: rows(cacheRow, usage.BuildCache ?? []),
  };
  return `${formatJson(format, JSON.stringify(details))}\n`;
}
