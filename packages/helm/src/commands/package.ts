import { mkdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { parseJson } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import { writeFileAtomic } from "@boxship/base";
import { FailedPrecondition, InvalidArgument } from "@boxship/base/errors";
import { bool, str } from "@boxship/kubectl/flags";
import { toJson } from "@boxship/template";
import { missingDependencies } from "../chart/chart.ts";
import { loadChart, readFolder } from "../chart/load-chart.ts";
import { packChart } from "../chart/pack-chart.ts";
import { defineCommand, type HelmIo, type Surroundings } from "../command.ts";
import { chartFlags } from "../render-flags.ts";
import { isStrictVersion } from "../version/version.ts";
import { fetchDependencies } from "./dependency-update.ts";

/** Dependencies say themselves where they are. */
const {
  devel: _devel,
  repo: _repo,
  "pass-credentials": _pass,
  verify: _verify,
  version: _version,
  ...accessFlags
} = chartFlags;
const NO_PLACE = { devel: false, repo: "", verify: false, "pass-credentials": false };

export const command = defineCommand({
  usage: "PATH... [flags]",
  summary: "Pack charts into archives",
  operands: { min: 1, max: 1000 },
  flags: {
    ...accessFlags,
    "app-version": str(),
    "dependency-update": bool(false, { short: "u" }),
    destination: str(".", { short: "d" }),
    key: str(),
    "passphrase-file": str(),
    sign: bool(),
    version: str(),
  },
  async run(surroundings, { flags, operands }) {
    if (flags.sign && flags.key === "") throw new InvalidArgument("--key is required for signing a package");
    for (const path of operands) {
      if (flags["dependency-update"])
        await fetchDependencies(path, false, { ...flags, ...NO_PLACE, version: "" }, surroundings);
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
      const archive = await packChart(metadata.name, files);
      // Before the archive: what has a signature never stands there without it.
      if (flags.sign) await writeFileAtomic(`${target}.prov`, await sign(archive, target, flags, surroundings));
      await writeFileAtomic(target, archive);
      surroundings.print(`Successfully packaged chart and saved it to: ${target}`);
    }
  },
});

interface SignFlags {
  readonly key: string;
  readonly keyring: string;
  readonly "passphrase-file": string;
}

async function sign(archive: Buffer, target: string, flags: SignFlags, { io }: Surroundings): Promise<string> {
  const { defaultKeyring, signArchive } = await import("../provenance/provenance.ts");
  const keyring = flags.keyring || defaultKeyring(io.env);
  return await signArchive(archive, basename(target), {
    key: flags.key,
    keyring,
    passphrase: () => passphrase(flags, io),
  });
}

/** The first line of the file, or of standard input. */
async function passphrase({ "passphrase-file": file }: SignFlags, { stdin }: HelmIo): Promise<string> {
  if (file === "") {
    throw new FailedPrecondition("the key is locked by a passphrase", {
      remedy: "give it by --passphrase-file FILE, or -",
    });
  }
  const text = file === "-" ? await readText(stdin) : await readFile(file, "utf8");
  return text.split("\n", 1)[0]?.replace(/\r$/, "") ?? "";
}
