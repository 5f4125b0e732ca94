import { WorkerPool } from "@boxship/base/worker-pool";
import type { FoundPackage, Inventory } from "../package.ts";
import type { Severity } from "./osv.ts";

export interface MatchTask {
  /** A directory of OSV's JSON files and zip archives, or one of these. */
  readonly database: string;
  readonly inventory: Inventory;
}

/** A package that a database says is vulnerable. */
export interface Vulnerability {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly severity: Severity;
  readonly found: FoundPackage;
  /** The version, of the source where there is one, that is not affected any more. */
  readonly fixed?: string;
}

const pool = new WorkerPool({
  name: "scan-match",
  source: new URL("./find-vulnerabilities-worker.ts", import.meta.url),
});

/**
 * What a vulnerability database in OSV format says of an image's packages, the worst first. Nothing is fetched.
 *
 * @throws NotFound without a database there; InvalidArgument for one that is damaged or holds nothing
 */
export function findVulnerabilities(task: MatchTask, signal?: AbortSignal): Promise<readonly Vulnerability[]> {
  return pool.run<readonly Vulnerability[]>(task, { signal });
}
