import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { isObject, type Json, type JsonObject, listAt, textAt } from "@boxship/api";
import { loadYaml } from "@boxship/api/yaml";
import { readIfPresent, writeFileAtomic } from "@boxship/base";
import { FailedPrecondition, InvalidArgument, NotFound } from "@boxship/base/errors";
import { parseConstraint } from "../version/constraint.ts";
import { compareVersions, parseVersion } from "../version/version.ts";
import { type FetchOptions, fetchBounded } from "./fetch-bounded.ts";
import type { FetchedArchive } from "./find-archive.ts";
import type { Repository } from "./repository-file.ts";

/** One version of a chart in a repository. */
export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly appVersion: string;
  readonly description: string;
  readonly digest: string;
  readonly urls: readonly string[];
}

/** Indexes of large repositories have some 30 MB. */
const MOST_INDEX_BYTES = 50 * 1024 * 1024;
const MOST_PROVENANCE = 1024 * 1024;
const MOST_CHART_BYTES = 100 * 1024 * 1024;

export type Index = ReadonlyMap<string, readonly IndexEntry[]>;

/** Charts by name, each with the newest version first; entries that are none are left out. */
export function parseIndex(text: string, name: string): Index {
  const document = documentOf(text, name);
  if (!isObject(document) || textAt(document, "apiVersion") === "") {
    throw new InvalidArgument(`${name}: no API version specified: it is no index of charts`);
  }
  const entries = isObject(document["entries"]) ? document["entries"] : {};
  const index = new Map<string, readonly IndexEntry[]>();
  for (const chart of Object.keys(entries)) {
    const versions = listAt(entries, chart)
      .filter(isObject)
      .map((one) => entryOf(one, chart))
      .flatMap((one) => {
        const version = parseVersion(one.version);
        return version === undefined ? [] : [{ one, version }];
      })
      .sort((a, b) => compareVersions(b.version, a.version));
    index.set(
      chart,
      versions.map(({ one }) => one),
    );
  }
  return index;
}

/** JSON is read much quicker, and large repositories have it; what only looks like it is told as YAML. */
function documentOf(text: string, name: string): Json {
  if (text.trimStart().startsWith("{")) {
    try {
      return JSON.parse(text) as Json;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return loadYaml(text, { name });
}

const entryOf = (raw: JsonObject, chart: string): IndexEntry => ({
  name: textAt(raw, "name") || chart,
  version: textAt(raw, "version"),
  appVersion: typeof raw["appVersion"] === "number" ? String(raw["appVersion"]) : textAt(raw, "appVersion"),
  description: textAt(raw, "description"),
  digest: textAt(raw, "digest"),
  urls: listAt(raw, "urls").filter((one) => typeof one === "string"),
});

const cachePath = (cache: string, name: string): string => join(cache, `${name}-index.yaml`);

/** Fetches a repository's index where it has changed, and keeps it. */
export async function updateIndex(
  repository: Repository,
  cache: string,
  options: Pick<FetchOptions, "timeout"> = {},
): Promise<Index> {
  const path = cachePath(cache, repository.name);
  const etag = readIfPresent(`${path}.etag`) ?? "";
  const kept = readIfPresent(path);
  const url = `${repository.url.replace(/\/+$/, "")}/index.yaml`;
  const fetched = await fetchBounded(url, MOST_INDEX_BYTES, {
    ...options,
    access: repository,
    etag: kept === undefined ? "" : etag.trim(),
  });
  if (fetched.body === undefined) return parseIndex(kept ?? "", url);
  const text = fetched.body.toString("utf8");
  const index = parseIndex(text, url);
  await mkdir(cache, { recursive: true });
  await writeFileAtomic(path, text);
  await writeFileAtomic(`${path}.etag`, fetched.etag);
  return index;
}

/** The index as it was fetched last. @throws FailedPrecondition where it never was */
export async function cachedIndex({ name }: Repository, cache: string): Promise<Index> {
  const path = cachePath(cache, name);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new FailedPrecondition(`no cached repo found for ${name}`, {
      remedy: "run 'helm repo update'",
      cause: error,
    });
  });
  return parseIndex(text, path);
}

/** The newest version that a constraint allows; without one, the newest release. @throws NotFound */
export function chooseVersion(index: Index, chart: string, constraint: string, devel = false): IndexEntry {
  const entries = index.get(chart);
  if (entries === undefined) throw new NotFound(`chart ${JSON.stringify(chart)} not found in the repository's index`);
  const wanted = parseConstraint(constraint || (devel ? ">0.0.0-0" : "*"));
  const found = entries.find(({ version }) => {
    const parsed = parseVersion(version);
    return version === constraint || (parsed !== undefined && wanted.allows(parsed));
  });
  if (found === undefined)
    throw new NotFound(`chart ${JSON.stringify(chart)} matching ${constraint || "any release"} not found`);
  return found;
}

/** Fetches a chart's archive and compares it with the digest of the index. @throws InvalidArgument where it is another */
export async function fetchEntry(
  { name, version, urls, digest }: IndexEntry,
  repository: Repository,
): Promise<FetchedArchive> {
  const [first] = urls;
  if (first === undefined) throw new NotFound(`chart ${name} ${version} has no downloadable URLs`);
  const base = `${repository.url.replace(/\/+$/, "")}/`;
  const url = new URL(first, base).href;
  // Credentials go to the repository's own server only.
  const isOwn = new URL(url).host === new URL(base).host || repository.passCredentials;
  const access = isOwn ? repository : { ...repository, username: "" };
  const { body = Buffer.alloc(0) } = await fetchBounded(url, MOST_CHART_BYTES, { access });
  const is = createHash("sha256").update(body).digest("hex");
  const wanted = digest.replace(/^sha256:/, "");
  if (wanted !== "" && is !== wanted) {
    throw new InvalidArgument(`${url} is not what the index says: its digest is ${is}, not ${wanted}`, {
      remedy: "run 'helm repo update'; if it stays, the repository lies or is damaged",
    });
  }
  const provenance = async () => (await fetchBounded(`${url}.prov`, MOST_PROVENANCE, { access })).body;
  return { archive: body, name: basename(new URL(url).pathname), provenance };
}
