import { mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { writeFileAtomic } from "@boxship/base";
import { AlreadyExists, NotFound } from "@boxship/base/errors";
import { verifyFetched } from "../chart/find-chart.ts";
import { readArchive } from "../chart/load-archive.ts";
import { loadArchive } from "../chart/load-chart.ts";
import { defineCommand } from "../command.ts";
import { bool, str } from "../flags.ts";
import { chartFlags } from "../render-flags.ts";
import { fetchArchive } from "../repository/find-archive.ts";

export const command = defineCommand({
  usage: "CHART... [flags]",
  summary: "Fetch charts from repositories and registries",
  operands: { min: 1, max: 1000 },
  flags: { ...chartFlags, destination: str(".", { short: "d" }), prov: bool(), untar: bool(), untardir: str(".") },
  async run(surroundings, { flags, operands }) {
    for (const reference of operands) {
      const fetched = await fetchArchive(reference, flags, surroundings);
      const { archive } = fetched;
      const signed = flags.verify
        ? await verifyFetched(fetched, flags, surroundings)
        : flags.prov
          ? await fetched.provenance()
          : undefined;
      if (flags.prov && signed === undefined) throw new NotFound(`there is no provenance file for ${reference}`);
      const { metadata } = await loadArchive(archive);
      if (!flags.untar) {
        await mkdir(flags.destination, { recursive: true });
        const target = join(flags.destination, `${metadata.name}-${metadata.version}.tgz`);
        await writeFileAtomic(target, archive);
        if (signed !== undefined) await writeFileAtomic(`${target}.prov`, signed, { mode: 0o644 });
        continue;
      }
      const folder = join(resolve(flags.destination, flags.untardir), metadata.name);
      if ((await stat(folder).catch(() => undefined)) !== undefined)
        throw new AlreadyExists(`failed to untar: a file or directory with the name ${folder} already exists`);
      for (const { name, data } of await readArchive(archive)) {
        await mkdir(dirname(join(folder, name)), { recursive: true });
        await writeFile(join(folder, name), data);
      }
    }
  },
});
