import { defineCommand } from "../command.ts";
import { bool } from "../flags/flag.ts";
import { formatRows } from "../format/list-writer.ts";
import type { RowType } from "../format/row.ts";
import { formatFlag } from "../shared/list-defaults.ts";

interface ListedSocket {
  readonly Name: string;
  readonly Role: string;
  readonly Label: string;
  readonly Mounts: readonly string[];
  readonly Images: readonly string[];
  readonly Path: string;
  readonly Group: string;
}

const socketRow: RowType<ListedSocket> = {
  goName: "formatter.socketContext",
  columns: {
    Name: { header: "NAME", value: ({ Name }) => Name },
    Role: { header: "ROLE", value: ({ Role }) => Role },
    Label: { header: "LABEL", value: ({ Label }) => Label },
    Mounts: { header: "MOUNTS", value: ({ Mounts }) => Mounts.join(",") },
    Images: { header: "IMAGES", value: ({ Images }) => Images.join(",") },
    Group: { header: "GROUP", value: ({ Group }) => Group },
    Path: { header: "PATH", value: ({ Path }) => Path },
  },
};

const TABLE = "table {{.Name}}\t{{.Role}}\t{{.Label}}\t{{.Group}}\t{{.Path}}";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "List the further sockets",
  flags: { format: formatFlag, quiet: bool("Only display names", { short: "q" }) },
  async run(context, { flags }) {
    const sockets = await context.api.json<readonly ListedSocket[]>("GET", "/boxship/sockets");
    const table = flags.quiet ? "{{.Name}}" : TABLE;
    const format = flags.format === "" || flags.format === "table" ? table : flags.format;
    context.stdout.write(formatRows(socketRow, sockets, format, { truncate: true, now: Date.now() }));
  },
});
