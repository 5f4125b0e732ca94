import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { InvalidArgument, NotFound } from "@boxship/base/errors";
import type { Surroundings } from "../command.ts";
import type { ArchiveFlags, FetchedArchive } from "../repository/find-archive.ts";
import type { Chart } from "./chart.ts";
import { loadArchive, loadChart } from "./load-chart.ts";

/** A chart by what users call it: a folder, an archive, `repository/chart`, an address. */
export async function findChart(reference: string, flags: ArchiveFlags, surroundings: Surroundings): Promise<Chart> {
  const isRemote = /^(oci|https?):\/\//.test(reference) || flags.repo !== "";
  const isHere = !isRemote && (await stat(reference).catch(() => undefined)) !== undefined;
  if (isHere || (!isRemote && !/^[\w.-]+\/[\w.-]+$/.test(reference))) {
    if (flags.verify) await verifyHere(reference, flags, surroundings);
    return await loadChart(reference);
  }
  const { fetchArchive } = await import("../repository/find-archive.ts");
  const fetched = await fetchArchive(reference, flags, surroundings);
  if (flags.verify) await verifyFetched(fetched, flags, surroundings);
  return await loadArchive(fetched.archive);
}

type KeyringFlags = Pick<ArchiveFlags, "keyring">;

/** Sees that an archive that was fetched is what somebody of the keyring has signed. @returns its provenance file */
export async function verifyFetched(
  fetched: FetchedArchive,
  flags: KeyringFlags,
  surroundings: Surroundings,
): Promise<Buffer> {
  const { archive, name } = fetched;
  const signed = await fetched.provenance();
  if (signed === undefined) throw new NotFound(`there is no provenance file for ${name}`);
  await verifyBytes(archive, name, signed, flags, surroundings);
  return signed;
}

async function verifyHere(path: string, flags: KeyringFlags, surroundings: Surroundings): Promise<void> {
  if ((await stat(path)).isDirectory()) {
    throw new InvalidArgument(`${path} is a folder: only packed charts can be verified`);
  }
  const provenance = await readFile(`${path}.prov`).catch((error: unknown) => {
    throw new NotFound(`there is no provenance file for ${path}`, { cause: error });
  });
  await verifyBytes(await readFile(path), basename(path), provenance, flags, surroundings);
}

async function verifyBytes(
  archive: Buffer,
  name: string,
  provenance: Buffer,
  { keyring }: KeyringFlags,
  surroundings: Surroundings,
): Promise<void> {
  const { defaultKeyring, loadKeyring, verifiedText, verifyProvenance } = await import("../provenance/provenance.ts");
  const keys = await loadKeyring(keyring || defaultKeyring(surroundings.io.env));
  surroundings.warn(verifiedText(verifyProvenance(archive, name, provenance, keys)));
}
