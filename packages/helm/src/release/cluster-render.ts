import { isObject, textAt } from "@boxship/api";
import { loadYaml } from "@boxship/api/yaml";
import { DeadlineExceeded } from "@boxship/base/errors";
import {
  apiVersionOfMapping,
  createObject,
  findObject,
  isNotFound,
  listObjects,
  type Session,
} from "@boxship/kubectl/cluster";
import type { Chart } from "../chart/chart.ts";
import { crdFiles } from "../chart/chart.ts";
import type { Capabilities } from "../engine/capabilities.ts";
import type { Dict } from "../functions/go-values.ts";
import { splitManifests } from "../manifest/manifest.ts";
import { waitUntilReady } from "./readiness.ts";
import { type ChartRenderOptions, type RenderedChart, renderChart } from "./render-chart.ts";

/** What the cluster offers. */
export async function clusterCapabilities(session: Session): Promise<Capabilities> {
  const [version, { discovery }] = await Promise.all([(await session.api()).call("GET", "/version"), session.mapper()]);
  const versions = new Set<string>();
  for (const mapping of discovery.mappings) {
    versions.add(apiVersionOfMapping(mapping));
    versions.add(`${apiVersionOfMapping(mapping)}/${mapping.kind}`);
  }
  return { kubeVersion: textAt(version, "gitVersion"), apiVersions: [...versions] };
}

/** Thrown by the first `lookup` of something: templates cannot wait, so they begin again when it is known. */
class NotLookedUp extends Error {
  readonly what: readonly [string, string, string, string];

  constructor(what: readonly [string, string, string, string]) {
    super("not looked up yet");
    this.what = what;
  }
}

const MOST_LOOKUPS = 1000;

/** Renders a chart whose `lookup` asks the cluster. */
export async function renderWithCluster(
  session: Session,
  chart: Chart,
  values: Dict,
  options: Omit<ChartRenderOptions, "lookup">,
): Promise<RenderedChart> {
  const known = new Map<string, unknown>();
  const lookup = (...what: [string, string, string, string]): unknown => {
    const key = what.join("\n");
    if (!known.has(key)) throw new NotLookedUp(what);
    return known.get(key);
  };
  for (let tries = 0; tries < MOST_LOOKUPS; tries++) {
    try {
      return await renderChart(chart, values, { ...options, lookup, ...(tries > 0 && { warn: () => undefined }) });
    } catch (error) {
      const asked = causeOf(error);
      if (asked === undefined) throw error;
      known.set(asked.what.join("\n"), await answer(session, asked.what));
    }
  }
  throw new DeadlineExceeded(`the chart looks up more than ${MOST_LOOKUPS} objects`);
}

function causeOf(error: unknown): NotLookedUp | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause instanceof NotLookedUp) return cause;
  return undefined;
}

async function answer(session: Session, [apiVersion, kind, namespace, name]: NotLookedUp["what"]): Promise<unknown> {
  const mapping = (await session.mapper()).byKind(apiVersion, kind);
  if (mapping === undefined) return {};
  try {
    if (name !== "") return (await findObject(session, { mapping, namespace, name })) ?? {};
    return { apiVersion, kind: `${kind}List`, items: await listObjects(session, mapping, namespace) };
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  }
}

/** Makes the chart's definitions that are not there; those that are stay as they are. @returns whether any is new */
export async function installDefinitions(session: Session, chart: Chart, timeout: number): Promise<boolean> {
  const mapping = (await session.mapper()).known("apiextensions.k8s.io", "customresourcedefinitions");
  const made: { readonly mapping: typeof mapping; readonly namespace: string; readonly name: string }[] = [];
  for (const { data } of crdFiles(chart)) {
    for (const text of splitManifests(data.toString("utf8"))) {
      const object = loadYaml(text);
      if (!isObject(object)) continue;
      const place = { mapping, namespace: "", name: textAt(object, "metadata", "name") };
      if ((await findObject(session, place)) !== undefined) continue;
      await createObject(session, place, object);
      made.push(place);
    }
  }
  await waitUntilReady(session, made, { timeout, jobs: false });
  return made.length > 0;
}
