import { type JsonObject } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import { type Command, defineCommand } from "../command.ts";
import { bool, int, str } from "../flags.ts";
import type { Dict } from "../functions/go-values.ts";
import { longTime, printAs } from "../print-release.ts";
import { appVersion, plainJson, type Release } from "../release/release.ts";
import { openStorage } from "../release-access.ts";
import { mergeMaps } from "../values/read-values.ts";

const flags = {
  all: bool(false, { short: "a" }),
  output: str("table", { short: "o" }),
  revision: int(),
  template: str(),
};

const hooksText = ({ hooks }: Release): string =>
  hooks.map(({ path, manifest }) => `---\n# Source: ${path}\n${manifest}\n`).join("");

/** Values of a release; with all those of the chart. */
const valuesOf = ({ chart, config }: Release, all: boolean): JsonObject =>
  all ? plainJson(mergeMaps((chart["values"] ?? {}) as Dict, config)) : config;

function metadataOf(release: Release) {
  const metadata = (release.chart["metadata"] ?? {}) as JsonObject;
  return {
    name: release.name,
    chart: metadata["name"] ?? "",
    version: metadata["version"] ?? "",
    appVersion: appVersion(release),
    annotations: metadata["annotations"],
    namespace: release.namespace,
    revision: release.version,
    status: release.info.status,
    deployedAt: release.info.last_deployed,
  };
}

/** @param part `all`, `hooks`, `manifest`, `metadata`, `notes` or `values` */
export function getCommand(part: string): Command {
  return defineCommand({
    usage: "RELEASE [flags]",
    summary: `Show ${part === "all" ? "everything" : `the ${part}`} of a release`,
    operands: { min: 1, max: 1 },
    flags,
    async run(surroundings, { flags: given, operands }) {
      const release = await (await openStorage(surroundings)).get(operands[0] ?? "", given.revision);
      if (given.template !== "") {
        const { Template } = await import("@boxship/template");
        surroundings.io.stdout.write(new Template("_").parse(given.template).execute({ Release: release }));
        return;
      }
      if (part === "values") {
        const values = valuesOf(release, given.all);
        if (printAs(given.output, values, surroundings)) return;
        surroundings.io.stdout.write(`${given.all ? "COMPUTED" : "USER-SUPPLIED"} VALUES:\n${toYaml(values)}`);
      } else if (part === "metadata") {
        const data = metadataOf(release);
        if (printAs(given.output, data, surroundings)) return;
        for (const [name, value] of Object.entries(data)) {
          if (typeof value === "string" || typeof value === "number")
            surroundings.print(`${name.toUpperCase()}: ${value}`);
        }
      } else surroundings.io.stdout.write(textOf(release, part));
    },
  });
}

function textOf(release: Release, part: string): string {
  const { manifest, info } = release;
  if (part === "manifest") return `${manifest}\n`;
  if (part === "hooks") return hooksText(release);
  if (part === "notes") return info.notes.trim() === "" ? "" : `NOTES:\n${info.notes.trimEnd()}\n`;
  const values = `USER-SUPPLIED VALUES:\n${toYaml(release.config)}\nCOMPUTED VALUES:\n${toYaml(valuesOf(release, true))}`;
  const head = `NAME: ${release.name}\nLAST DEPLOYED: ${longTime(info.last_deployed)}\nNAMESPACE: ${release.namespace}\nSTATUS: ${info.status}\nREVISION: ${release.version}`;
  return `${head}\n${values}\nHOOKS:\n${hooksText(release)}MANIFEST:\n${manifest}\n${textOf(release, "notes")}`;
}
