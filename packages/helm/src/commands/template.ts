import { join } from "node:path";
import { NotFound } from "@boxship/base/errors";
import { valueFlags } from "../cluster-flags.ts";
import { defineCommand, type Surroundings } from "../command.ts";
import { valuesOf } from "../flag-values.ts";
import { array, bool, str } from "../flags.ts";
import { clusterCapabilities, renderAsking } from "../release/cluster-render.ts";
import { manifestText, type RenderedChart } from "../release/render-chart.ts";
import { checkOwnership, type Owner, resourcesOf } from "../release/resources.ts";
import { actionFlags } from "../release-flags.ts";
import {
  chartFlags,
  givenCapabilities,
  nameFlags,
  openChart,
  postRenderer,
  releaseNameOf,
  renderFlags,
} from "../render-flags.ts";
import { writeManifests } from "./write-manifests.ts";

export const command = defineCommand({
  usage: "[NAME] CHART [flags]",
  summary: "Render a chart's templates and print them",
  operands: { min: 1, max: 2 },
  flags: {
    ...valueFlags,
    ...chartFlags,
    ...renderFlags,
    ...nameFlags,
    // What an installation would do changes nothing of the text.
    ...actionFlags,
    "api-versions": array({ short: "a" }),
    "create-namespace": bool(),
    "hide-notes": bool(),
    "include-crds": bool(),
    "is-upgrade": bool(),
    "kube-version": str(),
    "output-dir": str(),
    "release-name": bool(),
    replace: bool(),
    "show-only": array({ short: "s" }),
    "skip-crds": bool(),
    "skip-tests": bool(),
    "dry-run": str("client", { bare: "client" }),
    validate: bool(),
  },
  async run(surroundings, { flags, operands }) {
    const unnamed = operands.length === 1 && !flags["generate-name"] && flags["name-template"] === "";
    const { name, reference } = unnamed
      ? { name: "release-name", reference: operands[0] ?? "" }
      : releaseNameOf(operands, flags);
    const chart = await openChart(reference, flags, surroundings);
    const postRender = postRenderer(flags, surroundings);
    const asks = flags.validate || flags["dry-run"] === "server";
    const values = await valuesOf(flags, surroundings.io);
    const namespace = asks ? await surroundings.namespace() : flags.namespace || "default";
    const options = {
      release: { name, namespace, revision: 1, isUpgrade: flags["is-upgrade"] },
      capabilities: asks ? await clusterCapabilities(await surroundings.cluster()) : givenCapabilities(flags),
      warn: (text: string) => surroundings.warn(`level=WARN msg=${JSON.stringify(text)}`),
      subchartNotes: flags["render-subchart-notes"],
      skipSchemas: flags["skip-schema-validation"],
      enableDns: flags["enable-dns"],
      ...(postRender !== undefined && { postRender }),
    };
    const rendered = await renderAsking(chart, values, options, asks ? await surroundings.cluster() : undefined);
    if (asks) await checkKinds(rendered, { name, namespace }, surroundings);
    const parts = chosen(partsOf(rendered, flags), flags["show-only"], chart.metadata.name);
    const folder = flags["release-name"] ? join(flags["output-dir"], name) : flags["output-dir"];
    if (flags["output-dir"] !== "") await writeManifests(folder, parts, surroundings);
    else
      surroundings.io.stdout.write(
        parts.map(({ source, content }) => `---\n# Source: ${source}\n${content}\n`).join(""),
      );
  },
});

/** Sees that the server has all kinds, and that nothing is somebody else's. */
async function checkKinds({ manifests }: RenderedChart, owner: Owner, surroundings: Surroundings): Promise<void> {
  const session = await surroundings.cluster();
  await checkOwnership(session, await resourcesOf(session, manifestText(manifests), owner), [], owner);
}

export interface Part {
  readonly source: string;
  readonly content: string;
}

interface PartFlags {
  readonly "include-crds": boolean;
  readonly "no-hooks": boolean;
  readonly "skip-tests": boolean;
}

function partsOf({ crds, manifests, hooks }: RenderedChart, flags: PartFlags): readonly Part[] {
  const definitions = flags["include-crds"]
    ? crds.map(({ name, text }) => ({ source: name, content: text.trimEnd() }))
    : [];
  const shown = hooks.filter(({ events }) => !(flags["skip-tests"] && events.includes("test")));
  return [...definitions, ...manifests, ...(flags["no-hooks"] ? [] : shown)];
}

function chosen(parts: readonly Part[], wanted: readonly string[], chart: string): readonly Part[] {
  if (wanted.length === 0) return parts;
  return wanted.flatMap((name) => {
    const found = parts.filter(({ source }) => source === name || source === `${chart}/${name}`);
    if (found.length === 0) throw new NotFound(`could not find template ${name} in chart`);
    return found;
  });
}
