import { mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeFileAtomic } from "@boxship/base";
import { AlreadyExists, Unsupported } from "@boxship/base/errors";
import { refuseUnsupported } from "../chart/find-chart.ts";
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
    refuseUnsupported(flags);
    if (flags.prov) throw new Unsupported("--prov is not supported");
    for (const reference of operands) {
      const { archive } = await fetchArchive(reference, flags, surroundings);
      const { metadata } = await loadArchive(archive);
      if (!flags.untar) {
        await mkdir(flags.destination, { recursive: true });
        await writeFileAtomic(join(flags.destination, `${metadata.name}-${metadata.version}.tgz`), archive);
        continue;
      }
      const folder = join(flags.destination, flags.untardir, metadata.name);
      if ((await stat(folder).catch(() => undefined)) !== undefined)
        throw new AlreadyExists(`failed to untar: a file or directory with the name ${folder} already exists`);
      for (const { name, data } of await readArchive(archive)) {
        await mkdir(dirname(join(folder, name)), { recursive: true });
        await writeFile(join(folder, name), data);
      }
    }
  },
});
