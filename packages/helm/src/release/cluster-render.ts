import { lookup } from "node:dns/promises";
import { isObject, textAt } from "@boxship/api";
import { loadYaml } from "@boxship/api/yaml";
import { DeadlineExceeded, errorMessage, Unavailable } from "@boxship/base/errors";
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

type Looked = readonly [apiVersion: string, kind: string, namespace: string, name: string];

/** Thrown by the first question of its kind: templates cannot wait, so they begin again when the answer is known. */
class NotKnownYet extends Error {
  readonly key: string;
  readonly find: () => Promise<unknown>;

  constructor(key: string, find: () => Promise<unknown>) {
    super("not looked up yet");
    this.key = key;
    this.find = find;
  }
}

const MOST_LOOKUPS = 1000;

interface AskingOptions extends Omit<ChartRenderOptions, "lookup" | "lookupHost"> {
  /** Whether `getHostByName` asks for addresses. */
  readonly enableDns: boolean;
}

/** Renders a chart whose `lookup` asks the cluster, where there is one, and whose `getHostByName` may ask for addresses. */
export async function renderAsking(
  chart: Chart,
  values: Dict,
  { enableDns, ...options }: AskingOptions,
  session: Session | undefined,
): Promise<RenderedChart> {
  if (session === undefined && !enableDns) return await renderChart(chart, values, options);
  const known = new Map<string, unknown>();
  const ask = (key: string, find: () => Promise<unknown>): unknown => {
    if (!known.has(key)) throw new NotKnownYet(key, find);
    return known.get(key);
  };
  const asking = {
    ...options,
    ...(session !== undefined && {
      lookup: (...what: Looked) => ask(`object ${what.join("\n")}`, () => answer(session, what)),
    }),
    ...(enableDns && { lookupHost: (name: string) => ask(`host ${name}`, () => addressOf(name)) as string }),
  };
  for (let tries = 0; tries < MOST_LOOKUPS; tries++) {
    try {
      return await renderChart(chart, values, { ...asking, ...(tries > 0 && { warn: () => undefined }) });
    } catch (error) {
      const asked = causeOf(error);
      if (asked === undefined) throw error;
      known.set(asked.key, await asked.find());
    }
  }
  throw new DeadlineExceeded(`the chart looks up more than ${MOST_LOOKUPS} objects and names`);
}

async function addressOf(name: string): Promise<string> {
  try {
    return (await lookup(name)).address;
  } catch (error) {
    throw new Unavailable(`getHostByName ${JSON.stringify(name)}: ${errorMessage(error)}`, { cause: error });
  }
}

function causeOf(error: unknown): NotKnownYet | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause instanceof NotKnownYet) return cause;
  return undefined;
}

async function answer(session: Session, [apiVersion, kind, namespace, name]: Looked): Promise<unknown> {
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
  await waitUntilReady(session, made, { timeout, wanted: "ready" });
  return made.length > 0;
}
