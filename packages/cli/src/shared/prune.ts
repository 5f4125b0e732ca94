import { type Context, print } from "../context.ts";
import { humanSize } from "../format/units.ts";
import { filterQuery } from "./list-defaults.ts";

type Filters = Readonly<Record<string, readonly string[]>>;

/** What one kind of cleaning up removed, as text for the user. */
export interface Pruned {
  readonly text: string;
  readonly reclaimed: number;
}

function listing(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}:\n${lines.map((line) => `${line}\n`).join("")}`;
}

export async function pruneContainers({ api }: Context, filters: Filters): Promise<Pruned> {
  const report = await api.json<{
    readonly ContainersDeleted?: readonly string[] | null;
    readonly SpaceReclaimed: number;
  }>("POST", "/containers/prune", { query: { filters: filterQuery(filters) } });
  return { text: listing("Deleted Containers", report.ContainersDeleted ?? []), reclaimed: report.SpaceReclaimed };
}

export async function pruneNetworks({ api }: Context, filters: Filters): Promise<Pruned> {
  const report = await api.json<{ readonly NetworksDeleted?: readonly string[] | null }>("POST", "/networks/prune", {
    query: { filters: filterQuery(filters) },
  });
  return { text: listing("Deleted Networks", report.NetworksDeleted ?? []), reclaimed: 0 };
}

export async function pruneVolumes({ api }: Context, filters: Filters): Promise<Pruned> {
  const report = await api.json<{
    readonly VolumesDeleted?: readonly string[] | null;
    readonly SpaceReclaimed: number;
  }>("POST", "/volumes/prune", { query: { filters: filterQuery(filters) } });
  return { text: listing("Deleted Volumes", report.VolumesDeleted ?? []), reclaimed: report.SpaceReclaimed };
}

interface DeletedImage {
  readonly Untagged?: string;
  readonly Deleted?: string;
}

/** @param all unused images with a name, too */
export async function pruneImages({ api }: Context, filters: Filters, all: boolean): Promise<Pruned> {
  const report = await api.json<{
    readonly ImagesDeleted?: readonly DeletedImage[] | null;
    readonly SpaceReclaimed: number;
  }>("POST", "/images/prune", { query: { filters: filterQuery({ ...filters, dangling: [String(!all)] }) } });
  const lines = (report.ImagesDeleted ?? []).map(({ Deleted, Untagged }) =>
    Untagged ? `untagged: ${Untagged}` : `deleted: ${Deleted ?? ""}`,
  );
  return { text: listing("Deleted Images", lines), reclaimed: report.SpaceReclaimed };
}

/** Prints what was removed and, where it counts, how much room it gave. */
export function printPruned(context: Context, { text, reclaimed }: Pruned, withSpace = true): void {
  if (text !== "") print(context, text);
  if (withSpace) print(context, `Total reclaimed space: ${humanSize(reclaimed)}`);
}
