import { asBoxshipError, errorClasses, InvalidArgument } from "@boxship/base/errors";
import type { FlagValues } from "@boxship/base/parse-flags";
import type { Chart } from "../chart/chart.ts";
import type { valueFlags } from "../cluster-flags.ts";
import type { ClusterFlags, Surroundings } from "../command.ts";
import { applyDefinitions, definitionsText, planDefinitions } from "../definitions/plan-definitions.ts";
import { type Capabilities, defaultCapabilities } from "../engine/capabilities.ts";
import type { ReleaseInfo } from "../engine/render.ts";
import { failureText } from "../failure-text.ts";
import { valuesOf } from "../flag-values.ts";
import type { Dict } from "../functions/go-values.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { printAs, statusText } from "../print-release.ts";
import {
  type Action,
  contentOf,
  currentOf,
  deploy,
  newRelease,
  rollback,
  settleInterrupted,
  uninstall,
} from "../release/actions.ts";
import { clusterCapabilities, installDefinitions, renderAsking } from "../release/cluster-render.ts";
import { lockRelease } from "../release/operation-lock.ts";
import { plainJson, type Release } from "../release/release.ts";
import { manifestText, type RenderedChart } from "../release/render-chart.ts";
import type { Owner } from "../release/resources.ts";
import { actionOptions, dryRunOf, type historyFlags, openAction, undoes } from "../release-flags.ts";
import { type chartFlags, openChart, postRenderer, type renderFlags } from "../render-flags.ts";
import { coalesceValues } from "../values/coalesce.ts";
import { mergeMaps } from "../values/read-values.ts";
import type { deployFlags } from "./install.ts";

/** What planning a revision needs to know. */
type PlanFlags = FlagValues<typeof valueFlags & typeof chartFlags & typeof renderFlags> & {
  readonly namespace: string;
  readonly "repository-cache": string;
  readonly "repository-config": string;
  readonly "reset-then-reuse-values"?: boolean;
  readonly "reset-values"?: boolean;
  readonly "reuse-values"?: boolean;
};

type DeployFlags = PlanFlags &
  Pick<ClusterFlags, "debug"> &
  FlagValues<typeof deployFlags> &
  Partial<FlagValues<typeof historyFlags>>;

interface Target {
  readonly name: string;
  readonly reference: string;
}

/** Failures of some work begin with Helm's words for it. */
export async function failingAs(words: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    const { code, remedy } = asBoxshipError(thrown);
    const message = `${words}: ${failureText(thrown)}`;
    throw new errorClasses[code](message, { cause: thrown, ...(remedy !== undefined && { remedy }) });
  }
}

/** A chart that was read, and the values that were given for it. */
interface Opened {
  readonly chart: Chart;
  readonly given: Dict;
}

/** Reads what needs no cluster. */
export async function openDeployment(
  surroundings: Surroundings,
  flags: DeployFlags,
  reference: string,
): Promise<Opened> {
  const chart = await openChart(reference, flags, surroundings);
  return { chart, given: await valuesOf(flags, surroundings.io) };
}

/** @param allow throws where the history of the name does not allow it */
export async function installRelease(
  surroundings: Surroundings,
  flags: DeployFlags,
  name: string,
  { chart: opened, given }: Opened,
  allow: (history: readonly Release[]) => void,
): Promise<void> {
  const action = await openAction(name, actionOptions(flags, surroundings), surroundings);
  const { storage, session, owner } = action;
  const dry = dryRunOf(flags["dry-run"]) !== "none";
  if (!dry && flags["hide-secret"])
    throw new InvalidArgument("Hiding Kubernetes secrets requires a dry-run mode", { remedy: "use --dry-run" });
  if (!dry && flags["create-namespace"]) await createNamespace(action);
  await using _lock = dry
    ? { [Symbol.asyncDispose]: async () => undefined }
    : await lockRelease(session, owner.namespace, name);
  const before = await storage.list(name);
  allow(before);
  const history = dry ? before : await settleInterrupted(action);
  if (!dry && !flags["skip-crds"]) await bringDefinitions(action, opened, flags);
  const { chart, values } = keptValues(opened, given, history, flags);
  const rendered = await renderFor(action, chart, values, history, flags, surroundings);
  if (dry) {
    showDry(surroundings, flags, { owner, chart, values, rendered, history });
    return;
  }
  const release = await deploy(action, contentOf(chart, values, rendered), history).catch(async (error: unknown) => {
    if (undoes(flags)) await undo(action, history, error);
    throw error;
  });
  showRelease(surroundings, flags, release, rendered);
}

/** Shows what an installation would make, without asking a cluster. */
export async function showInstallation(
  surroundings: Surroundings,
  flags: DeployFlags,
  { name, reference }: Target,
): Promise<void> {
  const chart = await openChart(reference, flags, surroundings);
  const values = await valuesOf(flags, surroundings.io);
  const namespace = await surroundings.namespace();
  const place = { name, namespace, revision: 1, isUpgrade: false };
  const rendered = await renderAsking(
    chart,
    values,
    renderOptions(flags, surroundings, place, defaultCapabilities),
    undefined,
  );
  showDry(surroundings, flags, { owner: { name, namespace }, chart, values, rendered, history: [] });
}

/** Definitions that are not there are made; those that are there change only where that was asked for. */
async function bringDefinitions({ session, options }: Action, chart: Chart, flags: DeployFlags): Promise<void> {
  if (flags["upgrade-crds"]) {
    const plans = await planDefinitions(session, chart);
    if (plans.length > 0) options.say(definitionsText(plans));
    await applyDefinitions(session, plans, flags.timeout);
  } else if (await installDefinitions(session, chart, flags.timeout)) session.forgetDiscovery();
}

/** What a failure left is taken back. */
async function undo(action: Action, history: readonly Release[], error: unknown): Promise<void> {
  const deployed = currentOf(history);
  action.options.say(
    `release ${action.owner.name} failed, and is ${deployed?.info.status === "deployed" ? "rolled back" : "uninstalled"}: ${(error as Error).message}`,
  );
  if (deployed?.info.status === "deployed") await rollback(action, deployed.version);
  else await uninstall(action, { keepHistory: false, cascade: "Background" });
}

async function createNamespace({ session, owner }: Action): Promise<void> {
  const { createObject, findObject } = await import("@boxship/kubectl/cluster");
  const place = { mapping: (await session.mapper()).known("", "namespaces"), namespace: "", name: owner.namespace };
  if ((await findObject(session, place)) !== undefined) return;
  const metadata = { name: owner.namespace, labels: { name: owner.namespace } };
  await createObject(session, place, { apiVersion: "v1", kind: "Namespace", metadata });
}

/** What a new revision would be made of, without making it. */
export async function planRelease(
  action: Action,
  reference: string,
  history: readonly Release[],
  flags: PlanFlags,
  surroundings: Surroundings,
): Promise<{ readonly manifest: string }> {
  const opened = await openChart(reference, flags, surroundings);
  const { chart, values } = keptValues(opened, await valuesOf(flags, surroundings.io), history, flags);
  return { manifest: manifestText((await renderFor(action, chart, values, history, flags, surroundings)).manifests) };
}

interface Kept {
  readonly chart: Chart;
  readonly values: Dict;
}

/** The values of the revision before, as far as the flags want them, and the chart with the defaults that hold. */
function keptValues(chart: Chart, given: Dict, history: readonly Release[], flags: PlanFlags): Kept {
  const current = currentOf(history);
  if (current === undefined || flags["reset-values"] === true) return { chart, values: given };
  if (flags["reuse-values"] === true) {
    const old = { ...chart, values: (current.chart["values"] ?? {}) as Dict, dependencies: [] };
    const defaults = coalesceValues(old, current.config, () => undefined);
    return { chart: { ...chart, values: defaults }, values: mergeMaps(current.config, given) };
  }
  if (flags["reset-then-reuse-values"] === true) return { chart, values: mergeMaps(current.config, given) };
  // Without any new value the ones of before hold: that is Helm's way.
  return { chart, values: Object.keys(given).length === 0 ? current.config : given };
}

async function renderFor(
  { session, owner }: Action,
  chart: Chart,
  values: Dict,
  history: readonly Release[],
  flags: PlanFlags,
  surroundings: Surroundings,
): Promise<RenderedChart> {
  const isUpgrade = history.some(({ info }) => info.status !== "uninstalled");
  const release = { ...owner, revision: (history.at(-1)?.version ?? 0) + 1, isUpgrade };
  const options = renderOptions(flags, surroundings, release, await clusterCapabilities(session));
  return await renderAsking(chart, values, options, session);
}

function renderOptions(flags: PlanFlags, surroundings: Surroundings, release: ReleaseInfo, capabilities: Capabilities) {
  const postRender = postRenderer(flags, surroundings);
  return {
    release,
    capabilities,
    warn: (text: string) => surroundings.warn(`level=WARN msg=${JSON.stringify(text)}`),
    subchartNotes: flags["render-subchart-notes"],
    skipSchemas: flags["skip-schema-validation"],
    enableDns: flags["enable-dns"],
    ...(postRender !== undefined && { postRender }),
  };
}

/** What is shown of a release whose Secrets are nobody's business. */
function withoutSecrets(rendered: RenderedChart): RenderedChart {
  const hidden = <T extends Manifest>(one: T): T =>
    one.kind === "Secret" ? { ...one, content: "# HIDDEN: The Secret output has been suppressed" } : one;
  return { ...rendered, manifests: rendered.manifests.map(hidden), hooks: rendered.hooks.map(hidden) };
}

interface Shown {
  readonly owner: Owner;
  readonly chart: Chart;
  readonly values: Dict;
  readonly rendered: RenderedChart;
  readonly history: readonly Release[];
}

/** The revision that would be made. */
function showDry(
  surroundings: Surroundings,
  flags: DeployFlags,
  { owner, chart, values, rendered, history }: Shown,
): void {
  const shown = flags["hide-secret"] ? withoutSecrets(rendered) : rendered;
  const last = history.at(-1);
  const release = newRelease(owner, contentOf(chart, values, shown), {
    version: (last?.version ?? 0) + 1,
    status: last === undefined ? "pending-install" : "pending-upgrade",
    first: last?.info.first_deployed ?? new Date().toISOString(),
    serverSide: flags["server-side"] === "true",
  });
  release.info.description = flags.description || "Dry run complete";
  showRelease(surroundings, flags, release, rendered);
}

/** With `--debug` whole, as a revision that is not made is anyway. */
function showRelease(
  surroundings: Surroundings,
  flags: DeployFlags,
  release: Release,
  { values }: RenderedChart,
): void {
  if (printAs(flags.output, release, surroundings)) return;
  const isMade = !release.info.status.startsWith("pending-");
  if (isMade && release.version > 1) {
    surroundings.print(`Release ${JSON.stringify(release.name)} has been upgraded. Happy Helming!`);
  }
  const details = {
    ...(flags.debug && { computed: plainJson(values) }),
    manifests: flags.debug || !isMade,
  };
  surroundings.print(statusText(release, !flags["hide-notes"], details));
}
