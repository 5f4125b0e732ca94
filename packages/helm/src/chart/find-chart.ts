import { stat } from "node:fs/promises";
import { Unsupported } from "@boxship/base/errors";
import type { Surroundings } from "../command.ts";
import type { ArchiveFlags } from "../repository/find-archive.ts";
import type { Chart } from "./chart.ts";
import { loadArchive, loadChart } from "./load-chart.ts";

/** A chart by what users call it: a folder, an archive, `repository/chart`, an address. */
export async function findChart(reference: string, flags: ArchiveFlags, surroundings: Surroundings): Promise<Chart> {
  refuseUnsupported(flags);
  const isRemote = /^(oci|https?):\/\//.test(reference) || flags.repo !== "";
  const isHere = !isRemote && (await stat(reference).catch(() => undefined)) !== undefined;
  if (isHere || (!isRemote && !/^[\w.-]+\/[\w.-]+$/.test(reference))) return await loadChart(reference);
  const { fetchArchive } = await import("../repository/find-archive.ts");
  return await loadArchive((await fetchArchive(reference, flags, surroundings)).archive);
}

/** What is not there is refused by name. */
export function refuseUnsupported(flags: ArchiveFlags): void {
  for (const name of ["verify", "keyring"] as const) {
    if (flags[name] !== "" && flags[name] !== false) throw new Unsupported(`--${name} is not supported`);
  }
}
