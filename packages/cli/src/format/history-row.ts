import { rfc3339 } from "./go-time.ts";
import { shortId } from "./image-name.ts";
import type { RowType } from "./row.ts";
import { ellipsis } from "./text-width.ts";
import { humanDuration, humanSize } from "./units.ts";

/** One layer of an image's history. */
export interface HistoryItem {
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Size: number;
  readonly Comment: string;
}

/** Before this, an image's time is no time but a mark of reproducible builds. */
const EPOCH = Date.UTC(2000, 0, 1) / 1000;

function createdBy(text: string, truncate: boolean): string {
  const line = text.replaceAll("\t", " ");
  return truncate ? ellipsis(line, 45) : line;
}

function createdSince(created: number, now: number): string {
  return created <= EPOCH ? "N/A" : `${humanDuration(now - created * 1000)} ago`;
}

/** @param human sizes and times in words */
export function historyRow(human: boolean): RowType<HistoryItem> {
  return {
    goName: "image.historyContext",
    columns: {
      Comment: { header: "COMMENT", value: ({ Comment }) => Comment },
      CreatedAt: { header: "CREATED AT", value: ({ Created }) => rfc3339(Created) },
      CreatedBy: { header: "CREATED BY", value: ({ CreatedBy }, { truncate }) => createdBy(CreatedBy, truncate) },
      CreatedSince: {
        header: "CREATED",
        value: ({ Created }, { now }) => (human ? createdSince(Created, now) : rfc3339(Created)),
      },
      ID: { header: "IMAGE", value: ({ Id }, { truncate }) => (truncate ? shortId(Id) : Id) },
      Size: { header: "SIZE", value: ({ Size }) => (human ? humanSize(Size, 3) : String(Size)) },
    },
  };
}

/** The template of an image's history. */
export function historyFormat(format: string, quiet: boolean, human: boolean): string {
  if (format !== "" && format !== "table") return format;
  if (quiet) return "{{.ID}}";
  const created = human ? "CreatedSince" : "CreatedAt";
  return `table {{.ID}}\t{{.${created}}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`;
}
