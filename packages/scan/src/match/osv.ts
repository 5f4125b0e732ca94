import type { CompareVersions } from "../version/compare.ts";
import { cvssSeverity } from "./cvss.ts";

export type Severity = "unknown" | "low" | "medium" | "high" | "critical";

export const SEVERITIES: readonly Severity[] = ["unknown", "low", "medium", "high", "critical"];

/** What is read of an entry of a database in OSV format (ossf.github.io/osv-schema). */
export interface OsvEntry {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly severity: Severity;
  readonly withdrawn: boolean;
  readonly affected: readonly OsvAffected[];
}

export interface OsvAffected {
  readonly ecosystem: string;
  readonly name: string;
  readonly versions: ReadonlySet<string>;
  readonly ranges: readonly (readonly OsvEvent[])[];
  readonly severity: Severity;
}

export type OsvEvent = { readonly kind: "introduced" | "fixed" | "last_affected" | "limit"; readonly version: string };

type Json = Readonly<Record<string, unknown>>;

const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** An entry, or undefined for what is none. Members of other types than the format's are as if they were absent. */
export function readOsv(document: unknown): OsvEntry | undefined {
  const root = object(document);
  const id = text(root["id"]);
  if (id === "") return undefined;
  return {
    id,
    aliases: list(root["aliases"]).filter((alias): alias is string => typeof alias === "string"),
    summary: text(root["summary"]) || (text(root["details"]).split("\n")[0] ?? "").slice(0, 200),
    // Only of what is found: scores take longer than the rest.
    get severity() {
      return severityOf(root);
    },
    withdrawn: text(root["withdrawn"]) !== "",
    affected: list(root["affected"]).map((entry) => readAffected(object(entry))),
  };
}

function readAffected(entry: Json): OsvAffected {
  const named = object(entry["package"]);
  const ranges = list(entry["ranges"])
    .map(object)
    .filter((range) => range["type"] !== "GIT");
  return {
    ecosystem: text(named["ecosystem"]),
    name: text(named["name"]),
    versions: new Set(list(entry["versions"]).filter((version): version is string => typeof version === "string")),
    ranges: ranges.map((range) => list(range["events"]).flatMap((event) => readEvent(object(event)))),
    get severity() {
      return severityOf(entry);
    },
  };
}

function readEvent(event: Json): readonly OsvEvent[] {
  const kinds = ["introduced", "fixed", "last_affected", "limit"] as const;
  return kinds.flatMap((kind) => (text(event[kind]) === "" ? [] : [{ kind, version: text(event[kind]) }]));
}

const WORDS: Readonly<Record<string, Severity>> = {
  negligible: "low",
  unimportant: "low",
  low: "low",
  medium: "medium",
  moderate: "medium",
  important: "high",
  high: "high",
  critical: "critical",
};

/** By the scores, else by the word that the database's own fields say. */
function severityOf(entry: Json): Severity {
  let worst: Severity = "unknown";
  for (const score of list(entry["severity"]).map(object)) {
    const found = score["type"] === "Ubuntu" ? word(score["score"]) : cvssSeverity(text(score["score"]));
    if (SEVERITIES.indexOf(found) > SEVERITIES.indexOf(worst)) worst = found;
  }
  if (worst !== "unknown") return worst;
  for (const key of ["database_specific", "ecosystem_specific"]) {
    const own = object(entry[key]);
    const found = [own["severity"], own["urgency"]].map(word).find((severity) => severity !== "unknown");
    if (found !== undefined) return found;
  }
  return "unknown";
}

function word(value: unknown): Severity {
  return WORDS[text(value).toLowerCase()] ?? "unknown";
}

/** Whether a version is affected; the evaluation algorithm of the format's description. */
export function isAffected(affected: OsvAffected, version: string, compare: CompareVersions): boolean {
  if (affected.versions.has(version)) return true;
  return affected.ranges.some((events) => inRange(events, version, compare));
}

function inRange(events: readonly OsvEvent[], version: string, compare: CompareVersions): boolean {
  const at = (event: OsvEvent) => (event.kind === "introduced" && event.version === "0" ? undefined : event.version);
  const sorted = events
    .filter(({ kind }) => kind !== "limit")
    .toSorted((a, b) => {
      const [x, y] = [at(a), at(b)];
      return x === undefined || y === undefined ? (x === y ? 0 : x === undefined ? -1 : 1) : compare(x, y);
    });
  let affected = false;
  for (const event of sorted) {
    const point = at(event);
    const order = point === undefined ? 1 : compare(version, point);
    if (event.kind === "introduced" && order >= 0) affected = true;
    if (event.kind === "fixed" && order >= 0) affected = false;
    if (event.kind === "last_affected" && order > 0) affected = false;
  }
  return affected;
}

/** The first version of a range's fixes that is above the one that is affected. */
export function fixedIn(affected: OsvAffected, version: string, compare: CompareVersions): string | undefined {
  const fixes = affected.ranges
    .flat()
    .filter((event) => event.kind === "fixed" && compare(event.version, version) > 0)
    .map((event) => event.version);
  return fixes.toSorted(compare)[0];
}
