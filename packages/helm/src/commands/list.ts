import { InvalidArgument } from "@boxship/base/errors";
import { RE2JS } from "re2js";
import { defineCommand } from "../command.ts";
import { bool, format, int, str } from "../flags.ts";
import { formatTime } from "../functions/time-layout.ts";
import { listRow, printAs, tableText } from "../print-release.ts";
import type { Release, Status } from "../release/release.ts";
import { openStorage } from "../release-access.ts";

export const command = defineCommand({
  usage: "[flags]",
  summary: "List releases",
  operands: { min: 0, max: 0 },
  flags: {
    all: bool(false, { short: "a" }),
    "all-namespaces": bool(false, { short: "A" }),
    date: bool(false, { short: "d" }),
    deployed: bool(),
    failed: bool(),
    filter: str("", { short: "f" }),
    max: int(256, { short: "m" }),
    "no-headers": bool(),
    offset: int(),
    output: format,
    pending: bool(),
    reverse: bool(false, { short: "r" }),
    selector: str("", { short: "l" }),
    short: bool(false, { short: "q" }),
    superseded: bool(),
    "time-format": str(),
    uninstalled: bool(),
    uninstalling: bool(),
  },
  async run(surroundings, { flags }) {
    const wanted = statuses(flags);
    const superseded = wanted?.size === 1 && wanted.has("superseded");
    const all = await (await openStorage(surroundings, flags["all-namespaces"])).list(
      undefined,
      undefined,
      flags.selector,
    );
    // Of superseded ones alone every revision is of interest.
    const last = new Map(all.map((release) => [`${release.namespace}/${release.name}`, release]));
    const shown = (superseded ? all : [...last.values()])
      .filter(({ info }) => wanted === undefined || wanted.has(info.status))
      .filter(({ name }) => matches(flags.filter, name));
    const sorted = shown.toSorted((a, b) => order(a, b, flags.date));
    if (flags.reverse) sorted.reverse();
    const page = sorted.slice(flags.offset, flags.max > 0 ? flags.offset + flags.max : undefined);
    if (flags.short) {
      if (
        !printAs(
          flags.output,
          page.map(({ name }) => name),
          surroundings,
        )
      )
        for (const { name } of page) surroundings.print(name);
      return;
    }
    const time = timeFormat(flags["time-format"]);
    const rows = page.map((release) => ({ ...listRow(release), ...time(release.info.last_deployed) }));
    if (printAs(flags.output, rows, surroundings)) return;
    const header = ["NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION"];
    const text = tableText(
      header,
      rows.map((row) => Object.values(row)),
    );
    surroundings.print(flags["no-headers"] ? text.split("\n").slice(1).join("\n") : text);
  },
});

/** Times as Go's layouts have them; none where no layout was given. */
function timeFormat(layout: string): (text: string) => { readonly updated?: string } {
  if (layout === "") return () => ({});
  return (text) => {
    const time = Date.parse(text);
    if (Number.isNaN(time)) return { updated: "-" };
    return { updated: formatTime({ nanoseconds: BigInt(time) * 1_000_000n, zone: "UTC" }, layout) };
  };
}

const PENDING: readonly Status[] = ["pending-install", "pending-upgrade", "pending-rollback"];

function statuses(
  flags: Readonly<
    Record<"all" | "deployed" | "failed" | "pending" | "superseded" | "uninstalled" | "uninstalling", boolean>
  >,
) {
  if (flags.all) return undefined;
  const chosen = (["deployed", "failed", "superseded", "uninstalled", "uninstalling"] as const).filter(
    (one) => flags[one],
  );
  const wanted = new Set<Status>([...chosen, ...(flags.pending ? PENDING : [])]);
  return wanted.size > 0 ? wanted : undefined;
}

function matches(pattern: string, name: string): boolean {
  if (pattern === "") return true;
  try {
    return RE2JS.compile(pattern).matcher(name).find();
  } catch (error) {
    throw new InvalidArgument(`--filter: ${(error as Error).message}`, { cause: error });
  }
}

function order(a: Release, b: Release, byDate: boolean): number {
  if (byDate) return a.info.last_deployed < b.info.last_deployed ? -1 : 1;
  return a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1;
}
