import { pointerTo, quote, stringType, typed } from "@boxship/template";
import { goTime } from "./go-time.ts";
import { parseImageName, shortId } from "./image-name.ts";
import { describePorts, type ListedPort } from "./ports.ts";
import type { RowType, View } from "./row.ts";
import { ellipsis } from "./text-width.ts";
import { humanDuration, humanSize } from "./units.ts";

/** A container as the engine lists it. */
export interface ListedContainer {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly Command: string;
  readonly Created: number;
  readonly Ports: readonly ListedPort[];
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly State: string;
  readonly Status: string;
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, unknown>> | null };
  readonly Mounts?: readonly { readonly Name?: string; readonly Source?: string; readonly Driver?: string }[] | null;
}

export const emptyContainer: ListedContainer = {
  Id: "",
  Names: [],
  Image: "",
  ImageID: "",
  Command: "",
  Created: 0,
  Ports: [],
  State: "",
  Status: "",
};

function names({ Names }: ListedContainer, { truncate }: View): string {
  const bare = Names.map((name) => name.slice(1));
  const own = bare.find((name) => !name.includes("/"));
  return truncate && own !== undefined ? own : bare.join(",");
}

function image({ Image, ImageID }: ListedContainer, { truncate }: View): string {
  if (Image === "") return "<no image>";
  if (!truncate) return Image;
  if (shortId(ImageID) === shortId(Image)) return shortId(ImageID);
  const name = parseImageName(Image);
  if (name === undefined) return Image;
  return name.tag === undefined ? name.repository : `${name.repository}:${name.tag}`;
}

function size({ SizeRw = 0, SizeRootFs = 0 }: ListedContainer): string {
  const own = humanSize(SizeRw, 3);
  return SizeRootFs > 0 ? `${own} (virtual ${humanSize(SizeRootFs, 3)})` : own;
}

/** Labels in one line, sorted. */
export function labelText(labels: Readonly<Record<string, string>> | null | undefined): string {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
}

function mounts({ Mounts }: ListedContainer, { truncate }: View): string {
  return (Mounts ?? [])
    .map(({ Name, Source }) => Name || Source || "")
    .map((name) => (truncate ? ellipsis(name, 15) : name))
    .join(",");
}

export const containerRow: RowType<ListedContainer> = {
  goName: "formatter.ContainerContext",
  labels: ({ Labels }) => Labels,
  columns: {
    Command: {
      header: "COMMAND",
      value: ({ Command }, { truncate }) => quote(truncate ? ellipsis(Command, 20) : Command),
    },
    CreatedAt: { header: "CREATED AT", value: ({ Created }) => goTime(Created) },
    ID: { header: "CONTAINER ID", value: ({ Id }, { truncate }) => (truncate ? shortId(Id) : Id) },
    Image: { header: "IMAGE", value: image },
    Labels: { header: "LABELS", value: ({ Labels }) => labelText(Labels) },
    LocalVolumes: {
      header: "LOCAL VOLUMES",
      value: ({ Mounts }) => String((Mounts ?? []).filter(({ Driver }) => Driver === "local").length),
    },
    Mounts: { header: "MOUNTS", value: mounts },
    Names: { header: "NAMES", value: names },
    Networks: {
      header: "NETWORKS",
      value: ({ NetworkSettings }) => Object.keys(NetworkSettings?.Networks ?? {}).join(","),
    },
    Platform: { header: "PLATFORM", value: () => typed(pointerTo(stringType), null) },
    Ports: { header: "PORTS", value: ({ Ports }) => describePorts(Ports ?? []) },
    RunningFor: {
      header: "CREATED",
      value: ({ Created }, { now }) => `${humanDuration(now - Created * 1000)} ago`,
    },
    Size: { header: "SIZE", value: size },
    State: { header: "STATE", value: ({ State }) => State },
    Status: { header: "STATUS", value: ({ Status }) => Status },
  },
};

const TABLE = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

const RAW = `container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{- pad .State 1 0}}
status: {{- pad .Status 1 0}}
names: {{.Names}}
labels: {{- pad .Labels 1 0}}
ports: {{- pad .Ports 1 0}}
`;

/** The template of a list of containers. */
export function containerFormat(format: string, quiet: boolean, withSize: boolean): string {
  if (format === "raw") return quiet ? "container_id: {{.ID}}" : RAW + (withSize ? "size: {{.Size}}\n" : "");
  if (quiet) return "{{.ID}}";
  if (format !== "" && format !== "table") return format;
  return withSize ? `${TABLE}\t{{.Size}}` : TABLE;
}
