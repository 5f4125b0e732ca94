import { NotFound } from "@boxship/base/errors";
import type { ClusterFlags, Surroundings } from "../command.ts";
import type { ChartFlags } from "../render-flags.ts";
import { fetchBounded } from "./fetch-bounded.ts";
import { repositoryPlaces } from "./places.ts";
import { type Repository, readRepositories } from "./repository-file.ts";
import { cachedIndex, chooseVersion, fetchEntry, parseIndex } from "./repository-index.ts";

const MOST_BYTES = 100 * 1024 * 1024;

export type ArchiveFlags = ChartFlags & Pick<ClusterFlags, "repository-cache" | "repository-config">;

/** A chart that is not here: by an address, or by its repository's name and its own. */
export async function fetchArchive(
  reference: string,
  flags: ArchiveFlags,
  surroundings: Surroundings,
): Promise<Buffer> {
  const login = { username: flags.username, password: flags.password };
  if (reference.startsWith("oci://")) {
    const { pullChart } = await import("./oci-charts.ts");
    const access = {
      ...login,
      plainHttp: flags["plain-http"],
      insecure: flags["insecure-skip-tls-verify"],
      env: surroundings.io.env,
    };
    const { archive, reference: found, digest } = await pullChart(reference, flags.version, access);
    surroundings.warn(`Pulled: ${found}\nDigest: ${digest}`);
    return archive;
  }
  if (/^https?:\/\//.test(reference)) return (await fetchBounded(reference, MOST_BYTES, login)).body ?? Buffer.alloc(0);
  if (flags.repo !== "") {
    const repository: Repository = { name: flags.repo, url: flags.repo, ...login, raw: {} };
    const url = `${flags.repo.replace(/\/+$/, "")}/index.yaml`;
    const { body } = await fetchBounded(url, MOST_BYTES, login);
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
