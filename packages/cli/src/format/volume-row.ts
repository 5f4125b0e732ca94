import { labelText } from "./container-row.ts";
import type { RowType } from "./row.ts";
import { humanSize } from "./units.ts";

/** A volume as the engine lists it. */
export interface ListedVolume {
  readonly Name: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly Mountpoint: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly UsageData?: { readonly Size: number; readonly RefCount: number } | null;
}

export const volumeRow: RowType<ListedVolume> = {
  goName: "formatter.volumeContext",
  labels: ({ Labels }) => Labels,
  columns: {
    Availability: { header: "AVAILABILITY", value: () => "N/A" },
    Driver: { header: "DRIVER", value: ({ Driver }) => Driver },
    Group: { header: "GROUP", value: () => "N/A" },
    Labels: { header: "LABELS", value: ({ Labels }) => labelText(Labels) },
    Links: { header: "LINKS", value: ({ UsageData }) => (UsageData ? String(UsageData.RefCount) : "N/A") },
    Mountpoint: { header: "MOUNTPOINT", value: ({ Mountpoint }) => Mountpoint },
    Name: { header: "VOLUME NAME", value: ({ Name }) => Name },
    Scope: { header: "SCOPE", value: ({ Scope }) => Scope },
    Size: { header: "SIZE", value: ({ UsageData }) => (UsageData ? humanSize(UsageData.Size) : "N/A") },
    Status: { header: "STATUS", value: () => "N/A" },
  },
};

/** The template of a list of volumes. */
export function volumeFormat(format: string, quiet: boolean): string {
  if (format === "table") return quiet ? "{{.Name}}" : "table {{.Driver}}\t{{.Name}}";
  if (format !== "raw") return format;
  return quiet ? "name: {{.Name}}" : "name: {{.Name}}\ndriver: {{.Driver}}\n";
}
