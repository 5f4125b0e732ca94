import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorMessage, InvalidArgument, NotFound, systemCode } from "@boxship/base/errors";
import { serveTasks } from "@boxship/base/worker-pool";
import { readZip } from "../evidence/zip.ts";
import type { FoundPackage, Inventory } from "../package.ts";
import { comparers } from "../version/compare.ts";
import { ecosystemOf, isAbout, namesInDatabase, versionInDatabase } from "./ecosystem.ts";
import type { MatchTask, Vulnerability } from "./find-vulnerabilities.ts";
import { fixedIn, isAffected, type OsvEntry, readOsv, SEVERITIES } from "./osv.ts";

serveTasks(({ database, inventory }: MatchTask): Promise<readonly Vulnerability[]> => {
  const packages = byName(inventory);
  const found: Vulnerability[] = [];
  let entries = 0;
  for (const { name, content } of documents(database)) {
    const entry = readOsv(parse(content, name));
    if (entry === undefined) continue;
    entries++;
    if (!entry.withdrawn) found.push(...matches(entry, packages, inventory));
  }
  if (entries === 0) {
    throw new InvalidArgument(`${database} holds no vulnerabilities in OSV format`, {
      remedy: "name a directory or a zip archive of OSV's JSON files",
    });
  }
  return Promise.resolve(found.toSorted(compare));
});

/** The worst first. */
function compare(a: Vulnerability, b: Vulnerability): number {
  return (
    SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) ||
    (a.found.name < b.found.name ? -1 : a.found.name > b.found.name ? 1 : 0) ||
    (a.id < b.id ? -1 : 1)
  );
}

function byName({ packages, distribution }: Inventory): ReadonlyMap<string, readonly FoundPackage[]> {
  const known = new Map<string, FoundPackage[]>();
  for (const found of packages) {
    const ecosystem = ecosystemOf(found, distribution);
    if (ecosystem === undefined) continue;
    for (const name of namesInDatabase(found)) {
      const key = `${ecosystem} ${name}`;
      const list = known.get(key);
      if (list === undefined) known.set(key, [found]);
      else list.push(found);
    }
  }
  return known;
}

function matches(
  entry: OsvEntry,
  packages: ReadonlyMap<string, readonly FoundPackage[]>,
  { distribution }: Inventory,
): readonly Vulnerability[] {
  const found = new Map<FoundPackage, Vulnerability>();
  for (const affected of entry.affected) {
    const ecosystem = affected.ecosystem.split(":")[0] ?? "";
    if (!isAbout(affected.ecosystem, ecosystem, distribution)) continue;
    for (const candidate of packages.get(`${ecosystem} ${affected.name}`) ?? []) {
      const order = comparers[candidate.kind];
      const version = versionInDatabase(candidate);
      if (found.has(candidate) || !isAffected(affected, version, order)) continue;
      const fixed = fixedIn(affected, version, order);
      found.set(candidate, {
        id: entry.id,
        aliases: entry.aliases,
        summary: entry.summary,
        severity: affected.severity === "unknown" ? entry.severity : affected.severity,
        found: candidate,
        ...(fixed !== undefined && { fixed }),
      });
    }
  }
  return [...found.values()];
}

interface OsvDocument {
  readonly name: string;
  readonly content: Buffer;
}

/** The JSON files of a directory, of those below it, and of zip archives. */
function* documents(path: string): Generator<OsvDocument> {
  const info = statOf(path);
  if (info.isDirectory()) {
    for (const name of readdirSync(path).sort()) {
      const child = join(path, name);
      if (/\.(?:json|zip)$/.test(name) || statOf(child).isDirectory()) yield* documents(child);
    }
  } else if (path.endsWith(".zip")) {
    for (const member of readZip(readFileSync(path))) {
      if (member.name.endsWith(".json")) yield { name: `${path}:${member.name}`, content: member.content() };
    }
  } else {
    yield { name: path, content: readFileSync(path) };
  }
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new NotFound(`there is no vulnerability database at ${path}`, {
      cause: error,
      subject: { kind: "file", name: path },
    });
  }
}

function parse(content: Buffer, name: string): unknown {
  try {
    return JSON.parse(content.toString());
  } catch (error) {
    throw new InvalidArgument(`${name} of the vulnerability database is no JSON: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
