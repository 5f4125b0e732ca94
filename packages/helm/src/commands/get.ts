import { isObject, type JsonObject, listAt, textAt } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import { type Command, defineCommand } from "../command.ts";
import { bool, format, int, str } from "../flags.ts";
import type { Dict } from "../functions/go-values.ts";
import { hooksText, longTime, printAs, valuesText } from "../print-release.ts";
import { appVersion, plainJson, type Release } from "../release/release.ts";
import { openStorage } from "../release-access.ts";
import { mergeMaps } from "../values/read-values.ts";

const anyFlags = {
  all: bool(false, { short: "a" }),
  output: format,
  revision: int(),
  template: str(),
};

/** What each part takes. */
const FLAGS: Readonly<Record<string, Partial<typeof anyFlags>>> = {
  all: { revision: anyFlags.revision, template: anyFlags.template },
  metadata: { output: anyFlags.output, revision: anyFlags.revision },
  values: { all: anyFlags.all, output: anyFlags.output, revision: anyFlags.revision },
};

/** Values of a release; with all those of the chart. */
const valuesOf = ({ chart, config }: Release, all: boolean): JsonObject =>
  all ? plainJson(mergeMaps((chart["values"] ?? {}) as Dict, config)) : config;

type Labels = Readonly<Record<string, string>>;

function metadataOf(release: Release, labels: Labels) {
  const metadata = (release.chart["metadata"] ?? {}) as JsonObject;
  const annotations = isObject(metadata["annotations"]) ? metadata["annotations"] : {};
  const dependencies = listAt(metadata, "dependencies");
  return {
    name: release.name,
    chart: textAt(metadata, "name"),
    version: textAt(metadata, "version"),
    appVersion: appVersion(release),
    ...(Object.keys(annotations).length > 0 && { annotations }),
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(dependencies.length > 0 && { dependencies: [...dependencies] }),
    namespace: release.namespace,
    revision: release.version,
    status: release.info.status,
    // Helm cuts what is smaller than seconds.
    deployedAt: release.info.last_deployed.replace(/\.\d+/, ""),
    ...(release.apply_method !== undefined && { applyMethod: release.apply_method }),
  };
}

const APPLY_METHODS: Readonly<Record<string, string>> = {
  "": "client-side apply (defaulted)",
  csa: "client-side apply",
  ssa: "server-side apply",
};

function metadataText(data: ReturnType<typeof metadataOf>): string {
  const pairs = (all: JsonObject | Labels = {}): string =>
    Object.keys(all)
      .map((key) => `${key}=${textAt(all, key)}`)
      .sort()
      .join(",");
  const names = (data.dependencies ?? []).map((one) => textAt(one, "name")).sort();
  return [
    `NAME: ${data.name}`,
    `CHART: ${data.chart}`,
    `VERSION: ${data.version}`,
    `APP_VERSION: ${data.appVersion}`,
    `ANNOTATIONS: ${pairs(data.annotations)}`,
    `LABELS: ${pairs(data.labels)}`,
    `DEPENDENCIES: ${names.join(",")}`,
    `NAMESPACE: ${data.namespace}`,
    `REVISION: ${data.revision}`,
    `STATUS: ${data.status}`,
    `DEPLOYED_AT: ${data.deployedAt}`,
    `APPLY_METHOD: ${APPLY_METHODS[data.applyMethod ?? ""] ?? `unknown (${JSON.stringify(data.applyMethod)})`}`,
  ].join("\n");
}

/** @param part `all`, `hooks`, `manifest`, `metadata`, `notes` or `values` */
export function getCommand(part: string): Command {
  return defineCommand({
    usage: "RELEASE [flags]",
    summary: `Show ${part === "all" ? "everything" : `the ${part}`} of a release`,
    operands: { min: 1, max: 1 },
    flags: FLAGS[part] ?? { revision: anyFlags.revision },
    async run(surroundings, { flags, operands }) {
      const given = { all: false, output: format.initial, revision: 0, template: "", ...flags };
      const storage = await openStorage(surroundings);
      const release = await storage.get(operands[0] ?? "", given.revision);
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
        const data = metadataOf(release, await storage.labelsOf(release));
        if (!printAs(given.output, data, surroundings)) surroundings.print(metadataText(data));
      } else surroundings.io.stdout.write(textOf(release, part));
    },
  });
}

function textOf(release: Release, part: string): string {
  const { manifest, info } = release;
  if (part === "manifest") return `${manifest}\n`;
  if (part === "hooks") return hooksText(release);
  if (part === "notes") return info.notes.trim() === "" ? "" : `NOTES:\n${info.notes.trimEnd()}\n`;
  const values = valuesText(release.config, valuesOf(release, true));
  const head = `NAME: ${release.name}\nLAST DEPLOYED: ${longTime(info.last_deployed)}\nNAMESPACE: ${release.namespace}\nSTATUS: ${info.status}\nREVISION: ${release.version}`;
  return `${head}\n${values}\nHOOKS:\n${hooksText(release)}MANIFEST:\n${manifest}\n${textOf(release, "notes")}`;
}
