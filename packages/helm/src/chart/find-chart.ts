import { Unsupported } from "@boxship/base/errors";
import type { Surroundings } from "../command.ts";
import type { ChartFlags } from "../render-flags.ts";
import type { Chart } from "./chart.ts";
import { loadChart } from "./load-chart.ts";

/** A chart by what users call it: a folder, an archive. */
export async function findChart(reference: string, flags: ChartFlags, _surroundings: Surroundings): Promise<Chart> {
  for (const name of [
    "repo",
    "verify",
    "keyring",
    "ca-file",
    "cert-file",
    "key-file",
    "username",
    "password",
  ] as const) {
    if (flags[name] !== "" && flags[name] !== false) throw new Unsupported(`--${name} is not supported yet`);
  }
  if (/^(oci|https?):\/\//.test(reference)) {
    throw new Unsupported(`charts are not fetched from ${reference} yet`, {
      remedy: "download the archive and name it",
    });
  }
  return await loadChart(reference);
}
