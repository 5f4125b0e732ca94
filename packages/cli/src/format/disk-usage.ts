import type { ListedContainer } from "./container-row.ts";
import { shortId } from "./image-name.ts";
import type { ListedImage } from "./image-row.ts";
import type { RowType } from "./row.ts";
import { humanDuration, humanSize } from "./units.ts";
import type { ListedVolume } from "./volume-row.ts";

/** What `GET /system/df` says. */
export interface DiskUsage {
  readonly LayersSize: number;
  readonly Images: readonly ListedImage[] | null;
  readonly Containers: readonly ListedContainer[] | null;
  readonly Volumes: readonly ListedVolume[] | null;
  readonly BuildCache?: readonly ListedCache[] | null;
}

/** A record of the build cache as the engine lists it. */
export interface ListedCache {
  readonly ID: string;
  readonly Type: string;
  readonly Description: string;
  readonly Size: number;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly CreatedAt: string;
  readonly LastUsedAt: string | null;
  readonly UsageCount: number;
}

/** One line of the summary. */
export interface UsageLine {
  readonly type: string;
  readonly total: number;
  readonly active: number;
  readonly size: number;
  readonly reclaimable: number;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const RUNNING: ReadonlySet<string> = new Set(["running", "paused", "restarting"]);

function imageLine({ LayersSize, Images }: DiskUsage): UsageLine {
  const images = Images ?? [];
  const used = images
    .filter(({ Containers = 0, Size, SharedSize = -1 }) => Containers !== 0 && Size !== -1 && SharedSize !== -1)
    .map(({ Size, SharedSize = 0 }) => Size - SharedSize);
  return {
    type: "Images",
    total: images.length,
    active: images.filter(({ Containers = 0 }) => Containers > 0).length,
    size: LayersSize,
    reclaimable: LayersSize - sum(used),
  };
}

function containerLine({ Containers }: DiskUsage): UsageLine {
  const containers = Containers ?? [];
  const active = containers.filter(({ State }) => RUNNING.has(State));
  const size = (list: readonly ListedContainer[]): number => sum(list.map(({ SizeRw = 0 }) => SizeRw));
  return {
    type: "Containers",
    total: containers.length,
    active: active.length,
    size: size(containers),
    reclaimable: size(containers) - size(active),
  };
}

function volumeLine({ Volumes }: DiskUsage): UsageLine {
  const volumes = (Volumes ?? []).map(({ UsageData }) => UsageData ?? { Size: -1, RefCount: 0 });
  const size = (list: typeof volumes): number => sum(list.map(({ Size }) => Math.max(0, Size)));
  return {
    type: "Local Volumes",
    total: volumes.length,
    active: volumes.filter(({ RefCount }) => RefCount > 0).length,
    size: size(volumes),
    reclaimable: size(volumes.filter(({ RefCount }) => RefCount === 0)),
  };
}

export function cacheLine({ BuildCache }: DiskUsage): UsageLine {
  const own = (BuildCache ?? []).filter(({ Shared }) => !Shared);
  const size = sum(own.map(({ Size }) => Size));
  const used = sum(own.filter(({ InUse }) => InUse).map(({ Size }) => Size));
  const active = (BuildCache ?? []).filter(({ InUse }) => InUse).length;
  return { type: "Build Cache", total: BuildCache?.length ?? 0, active, size, reclaimable: size - used };
}

export function usageLines(usage: DiskUsage): readonly UsageLine[] {
  return [imageLine(usage), containerLine(usage), volumeLine(usage), cacheLine(usage)];
}

function reclaimableText({ size, reclaimable }: UsageLine): string {
  return humanSize(reclaimable) + (size > 0 ? ` (${Math.trunc((reclaimable * 100) / size)}%)` : "");
}

export const usageRow: RowType<UsageLine> = {
  goName: "formatter.diskUsageContext",
  columns: {
    Active: { header: "ACTIVE", value: ({ active }) => String(active) },
    Reclaimable: { header: "RECLAIMABLE", value: reclaimableText },
    Size: { header: "SIZE", value: ({ size }) => humanSize(size) },
    TotalCount: { header: "TOTAL", value: ({ total }) => String(total) },
    Type: { header: "TYPE", value: ({ type }) => type },
  },
};

export const cacheRow: RowType<ListedCache> = {
  goName: "formatter.buildCacheContext",
  columns: {
    CacheType: { header: "CACHE TYPE", value: ({ Type }) => Type },
    CreatedSince: { header: "CREATED", value: ({ CreatedAt }, { now }) => since(CreatedAt, now) },
    Description: { header: "DESCRIPTION", value: ({ Description }) => Description },
    ID: {
      header: "CACHE ID",
      value: ({ ID, InUse }, { truncate }) => `${truncate ? shortId(ID) : ID}${InUse ? "*" : ""}`,
    },
    InUse: { header: "IN USE", value: ({ InUse }) => String(InUse) },
    LastUsedSince: {
      header: "LAST USED",
      value: ({ LastUsedAt }, { now }) => (LastUsedAt === null ? "" : since(LastUsedAt, now)),
    },
    Shared: { header: "SHARED", value: ({ Shared }) => String(Shared) },
    Size: { header: "SIZE", value: ({ Size }) => humanSize(Size, 3) },
    UsageCount: { header: "USAGE", value: ({ UsageCount }) => String(UsageCount) },
  },
};

const since = (time: string, now: number): string => `${humanDuration(now - Date.parse(time))} ago`;
