import { basename } from "node:path/posix";
import { NotFound } from "@boxship/base/errors";
import type { ClusterFlags, Surroundings } from "../command.ts";
import type { ChartFlags } from "../render-flags.ts";
import { accessOf, fetchBounded } from "./fetch-bounded.ts";
import { repositoryPlaces } from "./places.ts";
import { type Repository, readRepositories } from "./repository-file.ts";
import { cachedIndex, chooseVersion, fetchEntry, parseIndex } from "./repository-index.ts";

const MOST_BYTES = 100 * 1024 * 1024;

/** A provenance file is a chart's metadata and a signature. */
const MOST_PROVENANCE = 1024 * 1024;

/** A chart's archive as it came. */
export interface FetchedArchive {
  readonly archive: Buffer;
  /** Of its file: provenance files name it. */
  readonly name: string;
  /** Fetches the provenance file. @throws NotFound */
  provenance(): Promise<Buffer | undefined>;
}

export type ArchiveFlags = ChartFlags & Pick<ClusterFlags, "repository-cache" | "repository-config">;

/** What the archive was called before it came to a registry, where tags have no plus. */
function archiveName(reference: string): string {
  const [name = "", tag = ""] = basename(reference).replace(/@.*$/, "").split(":");
  return `${name}-${tag.replaceAll("_", "+")}.tgz`;
}

/** A chart that is not here: by an address, or by its repository's name and its own. */
export async function fetchArchive(
  reference: string,
  flags: ArchiveFlags,
  surroundings: Surroundings,
): Promise<FetchedArchive> {
  const given = accessOf(flags);
  if (reference.startsWith("oci://")) {
    const { pullChart } = await import("./oci-charts.ts");
    const access = { ...given, plainHttp: flags["plain-http"], env: surroundings.io.env };
    const { archive, reference: found, digest, provenance } = await pullChart(reference, flags.version, access);
    surroundings.warn(`Pulled: ${found}\nDigest: ${digest}`);
    return { archive, name: archiveName(found), provenance: async () => provenance };
  }
  if (/^https?:\/\//.test(reference)) {
    const { body = Buffer.alloc(0) } = await fetchBounded(reference, MOST_BYTES, { access: given });
    const provenance = async () => (await fetchBounded(`${reference}.prov`, MOST_PROVENANCE, { access: given })).body;
    return { archive: body, name: basename(new URL(reference).pathname), provenance };
  }
  if (flags.repo !== "") {
    const repository: Repository = { name: flags.repo, url: flags.repo, ...given, raw: {} };
    const url = `${flags.repo.replace(/\/+$/, "")}/index.yaml`;
    const { body } = await fetchBounded(url, MOST_BYTES, { access: given });
    const index = parseIndex(body?.toString("utf8") ?? "", url);
    return await fetchEntry(chooseVersion(index, reference, flags.version, flags.devel), repository);
  }
  const { file, cache } = repositoryPlaces(flags, surroundings);
  const at = reference.indexOf("/");
  const repository = (await readRepositories(file)).find(({ name }) => name === reference.slice(0, at));
  if (repository === undefined)
    throw new NotFound(`repo ${reference.slice(0, at)} not found`, { remedy: "add it by 'helm repo add'" });
  const index = await cachedIndex(repository, cache);
  return await fetchEntry(chooseVersion(index, reference.slice(at + 1), flags.version, flags.devel), repository);
}
