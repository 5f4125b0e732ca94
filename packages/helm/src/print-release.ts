import { type JsonObject, parseJson } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import type { Surroundings } from "./command.ts";
import type { Format } from "./flags.ts";
import { appVersion, chartName, type Release } from "./release/release.ts";

/** `2026-11-21T10:00:00Z` as Helm's tables have it. */
const shortTime = (text: string): string => text.replace("T", " ").replace(/(\.\d+)?Z$/, "$1 +0000 UTC");

export function longTime(text: string): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  // `Sat, 21 Nov 2026 10:00:00 GMT`
  const [day = "", at = "", month = "", year = "", clock = ""] = date.toUTCString().replace(",", "").split(" ");
  return `${day} ${month} ${String(Number(at)).padStart(2)} ${clock} ${year}`;
}

export interface StatusDetails {
  /** A text about the objects. */
  readonly resources?: string;
  /** Values with all defaults: they are shown beside what the user gave. */
  readonly computed?: JsonObject;
  /** Whether hooks and manifests are shown whole. @default false */
  readonly manifests?: boolean;
}

export const hooksText = ({ hooks }: Release): string =>
  hooks.map(({ path, manifest }) => `---\n# Source: ${path}\n${manifest}\n`).join("");

export const valuesText = (config: JsonObject, computed: JsonObject): string =>
  `USER-SUPPLIED VALUES:\n${toYaml(config)}\nCOMPUTED VALUES:\n${toYaml(computed)}`;

/** What `install`, `upgrade` and `status` say. */
export function statusText(release: Release, withNotes: boolean, details: StatusDetails = {}): string {
  const { name, namespace, version, info, hooks } = release;
  const { resources = "", computed, manifests = false } = details;
  const tests = hooks.filter((hook) => hook.events.includes("test"));
  const lines = [
    `NAME: ${name}`,
    `LAST DEPLOYED: ${longTime(info.last_deployed)}`,
    `NAMESPACE: ${namespace}`,
    `STATUS: ${info.status}`,
    `REVISION: ${version}`,
    `DESCRIPTION: ${info.description}`,
  ];
  if (resources !== "") lines.push(`RESOURCES:\n${resources}`);
  if (tests.length === 0) lines.push("TEST SUITE: None");
  for (const { name: test, last_run: run } of tests) {
    if (run.started_at === undefined || run.started_at === "") continue;
    lines.push(
      `TEST SUITE:     ${test}`,
      `Last Started:   ${longTime(run.started_at)}`,
      `Last Completed: ${longTime(run.completed_at)}`,
      `Phase:          ${run.phase}`,
    );
  }
  if (computed !== undefined) lines.push(valuesText(release.config, computed));
  if (manifests) lines.push(`HOOKS:\n${hooksText(release)}MANIFEST:\n${release.manifest}`);
  if (withNotes && info.notes.trim() !== "") lines.push("NOTES:", info.notes.trimEnd());
  return lines.join("\n");
}

/** Rows below a header, columns ended by tabs. */
export const tableText = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  rowsText([header, ...rows]);

export function rowsText(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  return rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("\t")).join("\n");
}

/** One value in the format that was asked for. @returns false for tables: those are the caller's */
export function printAs(format: Format, value: unknown, { io }: Surroundings): boolean {
  if (format === "table") return false;
  io.stdout.write(format === "json" ? `${JSON.stringify(value)}\n` : toYaml(parseJson(JSON.stringify(value))));
  return true;
}

export const listRow = (release: Release) => ({
  name: release.name,
  namespace: release.namespace,
  revision: String(release.version),
  updated: shortTime(release.info.last_deployed),
  status: release.info.status,
  chart: chartName(release),
  app_version: appVersion(release),
});
