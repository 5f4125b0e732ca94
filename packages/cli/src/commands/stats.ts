import { setTimeout as delay } from "node:timers/promises";
import { isNotFound } from "../api-client/api-error.ts";
import { defineCommand } from "../command.ts";
import type { Context } from "../context.ts";
import type { Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";
import type { ListedContainer } from "../format/container-row.ts";
import { formatRows } from "../format/list-writer.ts";
import type { View } from "../format/row.ts";
import { type ContainerStats, STATS_TABLE, type StatsLine, statsRow } from "../format/stats-row.ts";
import { containerPath } from "../shared/container-path.ts";
import { chooseFormat, formatFlag } from "../shared/list-defaults.ts";
import { jsonValues } from "../stream/json-lines.ts";

/** How often the screen is drawn anew. */
const REFRESH_MS = 500;

const CLEAR_SCREEN = "\u001b[H\u001b[J";

export const command = defineCommand({
  usage: "[OPTIONS] [CONTAINER...]",
  summary: "Display a live stream of container(s) resource usage statistics",
  flags: {
    all: bool("Show all containers (default shows just running)", { short: "a" }),
    format: formatFlag,
    "no-stream": bool("Disable streaming stats and only pull the first result"),
    "no-trunc": bool("Do not truncate output"),
  },
  operands: { max: Number.POSITIVE_INFINITY },
  completes: "running-container",
  async run(context, { flags, operands }) {
    const chosen = await chooseFormat(context, flags.format, "statsFormat", false);
    const format = chosen === "table" ? STATS_TABLE : chosen;
    const show = (lines: readonly StatsLine[]): string => {
      const view: View = { truncate: !flags["no-trunc"], now: Date.now() };
      return formatRows(statsRow, lines, format, view);
    };
    if (flags["no-stream"]) {
      context.stdout.write(show(await sampleOnce(context, operands, flags.all)));
      return;
    }
    await stream(context, { names: operands, all: flags.all, show });
  },
});

/** The containers that were named, or those there are now. */
async function containersNow({ api }: Context, names: readonly string[], all: boolean): Promise<readonly string[]> {
  if (names.length > 0) return names;
  const listed = await api.json<readonly ListedContainer[]>("GET", "/containers/json", { query: { all } });
  return listed.map(({ Id }) => Id);
}

async function sampleOnce(context: Context, names: readonly string[], all: boolean): Promise<readonly StatsLine[]> {
  const containers = await containersNow(context, names, all);
  const lines = await Promise.all(
    containers.map(async (container): Promise<StatsLine | undefined> => {
      try {
        const path = containerPath(container, "/stats");
        const sample = await context.api.json<ContainerStats>("GET", path, { query: { stream: "0" } });
        return { container, id: sample.id ?? container, sample };
      } catch (error) {
        // One that nobody named may have gone meanwhile.
        if (names.length === 0 && isNotFound(error)) return undefined;
        throw error;
      }
    }),
  );
  return lines.filter((line) => line !== undefined);
}

interface Streaming {
  readonly names: readonly string[];
  readonly all: boolean;
  readonly show: (lines: readonly StatsLine[]) => string;
}

/** Draws the latest samples again and again; containers come and go unless they were named. */
async function stream(context: Context, { names, all, show }: Streaming): Promise<void> {
  const lines = new Map<string, StatsLine>();
  const failures: Failure[] = [];
  const follow = async (container: string): Promise<void> => {
    lines.set(container, { container, id: container, sample: undefined });
    try {
      const response = await context.api.open("GET", containerPath(container, "/stats"), { query: { stream: "1" } });
      for await (const value of jsonValues(response.body)) {
        const sample = value as ContainerStats;
        lines.set(container, { container, id: sample.id ?? container, sample });
      }
    } catch (error) {
      if (names.length > 0) failures.push(error as Failure);
    }
    lines.delete(container);
  };
  for (;;) {
    for (const container of await containersNow(context, names, all)) if (!lines.has(container)) void follow(container);
    await delay(REFRESH_MS);
    const [failure] = failures;
    if (failure !== undefined) throw failure;
    if (names.length > 0 && lines.size === 0) return;
    context.stdout.write((context.stdout.isTTY ? CLEAR_SCREEN : "") + show([...lines.values()]));
  }
}
