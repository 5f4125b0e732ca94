import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { isObject, type JsonObject, listAt, textAt } from "@boxship/api";
import { loadYaml, toYaml } from "@boxship/api/yaml";
import { writeFileAtomic } from "@boxship/base";
import { errorMessage, InvalidArgument } from "@boxship/base/errors";
import { loadArchive } from "../chart/load-chart.ts";
import { storedMetadata } from "../chart/stored-metadata.ts";
import { defineCommand } from "../command.ts";
import { bool, str } from "../flags.ts";
import { parseIndex } from "../repository/repository-index.ts";
import { compareVersions, parseVersion } from "../version/version.ts";

export const command = defineCommand({
  usage: "DIR [flags]",
  summary: "Write the index of a folder of packed charts",
  operands: { min: 1, max: 1 },
  flags: { json: bool(), merge: str(), url: str() },
  async run(_surroundings, { flags, operands }) {
    const folder = operands[0] ?? ".";
    const now = new Date().toISOString();
    const entries = new Map<string, JsonObject[]>();
    const add = (chart: string, entry: JsonObject): void => {
      const there = entries.get(chart) ?? [];
      entries.set(chart, there);
      if (!there.some((one) => textAt(one, "version") === textAt(entry, "version"))) there.push(entry);
    };
    for (const path of await archivesIn(folder)) {
      const entry = await entryOf(folder, path, flags.url, now);
      add(textAt(entry, "name"), entry);
    }
    if (flags.merge !== "") for (const [chart, entry] of await entriesOf(flags.merge)) add(chart, entry);
    const sorted: Record<string, JsonObject[]> = {};
    for (const chart of [...entries.keys()].sort()) sorted[chart] = entries.get(chart)?.sort(newestFirst) ?? [];
    const index = { apiVersion: "v1", entries: sorted, generated: now };
    const text = flags.json ? JSON.stringify(index) : toYaml(index);
    await writeFileAtomic(join(folder, "index.yaml"), text, { mode: 0o644 });
  },
});

/** Archives in a folder, and in folders of it. */
async function archivesIn(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isFile() && entry.name.endsWith(".tgz")) found.push(entry.name);
    if (!entry.isDirectory()) continue;
    for (const name of await readdir(join(folder, entry.name))) {
      if (name.endsWith(".tgz")) found.push(`${entry.name}/${name}`);
    }
  }
  return found.sort();
}

async function entryOf(folder: string, path: string, url: string, created: string): Promise<JsonObject> {
  const archive = await readFile(join(folder, path));
  const { metadata } = await loadArchive(archive).catch((error: unknown) => {
    throw new InvalidArgument(`${path}: ${errorMessage(error)}`, { cause: error });
  });
  const digest = createHash("sha256").update(archive).digest("hex");
  const place = url === "" ? path : `${url.replace(/\/+$/, "")}/${path}`;
  const entry: JsonObject = { ...storedMetadata(metadata), created, digest, urls: [place] };
  return Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Entries of an index that is there already; none where it is not. */
async function entriesOf(path: string): Promise<readonly (readonly [string, JsonObject])[]> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return [];
  parseIndex(text, basename(path));
  const entries = loadYaml(text);
  const charts = isObject(entries) && isObject(entries["entries"]) ? entries["entries"] : {};
  return Object.keys(charts).flatMap((chart) =>
    listAt(charts, chart)
      .filter(isObject)
      .map((entry) => [chart, entry] as const),
  );
}

function newestFirst(a: JsonObject, b: JsonObject): number {
  const [first, second] = [parseVersion(textAt(a, "version")), parseVersion(textAt(b, "version"))];
  if (first === undefined || second === undefined) return first === second ? 0 : first === undefined ? 1 : -1;
  return compareVersions(second, first);
}
