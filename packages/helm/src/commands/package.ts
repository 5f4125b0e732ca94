import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseJson } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import { writeFileAtomic } from "@boxship/base";
import { FailedPrecondition, InvalidArgument, Unsupported } from "@boxship/base/errors";
import { parseFlags } from "@boxship/base/parse-flags";
import { bool, str } from "@boxship/kubectl/flags";
import { toJson } from "@boxship/template";
import { missingDependencies } from "../chart/chart.ts";
import { loadChart, readFolder } from "../chart/load-chart.ts";
import { packChart } from "../chart/pack-chart.ts";
import { defineCommand } from "../command.ts";
import { chartFlags } from "../render-flags.ts";
import { isStrictVersion } from "../version/version.ts";
import { fetchDependencies } from "./dependency-update.ts";

/** Dependencies say themselves where they are. */
const NO_PLACE = parseFlags(chartFlags, []).values;

export const command = defineCommand({
  usage: "PATH... [flags]",
  summary: "Pack charts into archives",
  operands: { min: 1, max: 1000 },
  flags: {
    "app-version": str(),
    "dependency-update": bool(false, { short: "u" }),
    destination: str(".", { short: "d" }),
    key: str(),
    keyring: str(),
    "passphrase-file": str(),
    sign: bool(),
    version: str(),
  },
  async run(surroundings, { flags, operands }) {
    if (flags.sign) throw new Unsupported("--sign is not supported yet");
    for (const path of operands) {
      if (flags["dependency-update"]) await fetchDependencies(path, false, { ...NO_PLACE, ...flags }, surroundings);
      const chart = await loadChart(path);
      const { metadata } = chart;
      const missing = missingDependencies(chart);
      if (missing.length > 0) {
        throw new FailedPrecondition(
          `found in Chart.yaml, but missing in charts/ directory: ${missing.map((one) => one.name).join(", ")}`,
        );
      }
      const version = flags.version || metadata.version;
      if (!isStrictVersion(version))
        throw new InvalidArgument(`version ${JSON.stringify(version)} is no semantic version`);
      let files = await readFolder(path);
      if (flags.version !== "" || flags["app-version"] !== "") {
        const changed = {
          ...metadata.raw,
          version,
          ...(flags["app-version"] !== "" && { appVersion: flags["app-version"] }),
        };
        const data = Buffer.from(toYaml(parseJson(toJson(changed))));
        files = files.map((file) => (file.name === "Chart.yaml" ? { ...file, data } : file));
      }
      const target = join(flags.destination, `${metadata.name}-${version}.tgz`);
      await mkdir(flags.destination, { recursive: true });
      await writeFileAtomic(target, await packChart(metadata.name, files));
      surroundings.print(`Successfully packaged chart and saved it to: ${target}`);
    }
  },
});
