import { isObject, type Json, type JsonObject, type KubeObject } from "@boxship/api";
import { errorMessage, InvalidArgument, parseDuration } from "@boxship/base";
import { loadAll } from "js-yaml";

/** An object, and when it comes and goes: milliseconds from the start. */
export interface Load {
  readonly object: KubeObject;
  readonly at: number;
  /** @default it stays */
  readonly until?: number;
  /** Merge patches of it. @default none */
  readonly edits?: readonly { readonly at: number; readonly patch: JsonObject }[];
}

/** Annotations of the objects of a scenario. */
const [COUNT, AT, UNTIL] = ["simulate.boxship/count", "simulate.boxship/at", "simulate.boxship/until"];
const MOST_OF_ONE = 100_000;

/**
 * A manifest of nodes and of whatever else a cluster has. Annotations say how often an object is there
 * (`simulate.boxship/count`: names end in a number then), from when on (`/at`) and until when (`/until`).
 *
 * @throws InvalidArgument naming the document
 */
export function readScenario(text: string): Load[] {
  let documents: unknown[];
  try {
    documents = loadAll(text);
  } catch (cause) {
    throw new InvalidArgument(`the scenario is no YAML: ${errorMessage(cause)}`, { cause });
  }
  const objects = documents
    .flatMap((document) =>
      isObject(document as Json) && Array.isArray((document as { items?: Json }).items)
        ? (document as { items: unknown[] }).items
        : [document],
    )
    .filter((one) => one !== null && one !== undefined);
  if (objects.length === 0) throw new InvalidArgument("the scenario is empty");
  return objects.flatMap((one, index) => loadsOf(one as Json, `document ${index + 1}`));
}

function loadsOf(value: Json, at: string): Load[] {
  if (
    !isObject(value) ||
    !isObject(value["metadata"]) ||
    typeof value["kind"] !== "string" ||
    typeof value["apiVersion"] !== "string"
  ) {
    throw new InvalidArgument(`${at} of the scenario is no object of Kubernetes`);
  }
  const { metadata, ...rest } = value as unknown as KubeObject;
  const { annotations = {}, name = "" } = metadata;
  if (name === "") throw new InvalidArgument(`${at} of the scenario has no name`);
  const { [COUNT ?? ""]: many, [AT ?? ""]: begin, [UNTIL ?? ""]: end, ...others } = annotations;
  const count = many === undefined ? 1 : Number(many);
  if (!Number.isInteger(count) || count < 1 || count > MOST_OF_ONE) {
    throw new InvalidArgument(
      `${at} of the scenario: ${COUNT} ${JSON.stringify(many)} is no number from 1 to ${MOST_OF_ONE}`,
    );
  }
  const [from, until] = [timeOf(begin, at) ?? 0, timeOf(end, at)];
  if (until !== undefined && until <= from) throw new InvalidArgument(`${at} of the scenario ends before it begins`);
  return Array.from({ length: count }, (_, index) => ({
    object: {
      ...structuredClone(rest),
      metadata: {
        ...structuredClone(metadata),
        annotations: { ...others },
        name: many === undefined ? name : `${name}-${index}`,
      },
    } as KubeObject,
    at: from,
    ...(until === undefined ? {} : { until }),
  }));
}

function timeOf(text: string | undefined, at: string): number | undefined {
  if (text === undefined) return undefined;
  try {
    return parseDuration(text) / 1e6;
  } catch (cause) {
    throw new InvalidArgument(`${at} of the scenario: ${JSON.stringify(text)} is no time, e.g. 90s or 1h`, { cause });
  }
}

const RESOURCES = { requests: { cpu: "100m", memory: "128Mi" } };

/** Nodes of 32 cores and 64 GiB, and pods in Deployments, every fifth group in a StatefulSet, every tenth in a Job. */
export function sampleLoad(nodes: number, pods: number): Load[] {
  const loads: Load[] = Array.from({ length: nodes }, (_, index) => ({ object: nodeOf(index), at: 0 }));
  const size = Math.max(1, Math.min(50, Math.ceil(pods / 10)));
  for (let left = pods, group = 0; left > 0; left -= size, group++) {
    loads.push({ object: groupOf(group, Math.min(size, left)), at: 1000 + group * 100 });
  }
  return loads;
}

export const nodeOf = (index: number): KubeObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: `node-${index}`, labels: { "topology.kubernetes.io/zone": `zone-${index % 3}` } },
  status: { allocatable: { cpu: "32", memory: "64Gi", pods: "110" } },
});

function groupOf(group: number, size: number): KubeObject {
  const name = `group-${group}`;
  const template = {
    metadata: { labels: { app: name } },
    spec: { containers: [{ name: "main", image: "main", resources: RESOURCES }] },
  };
  const metadata = { name, namespace: "default" };
  if (group % 10 === 9) {
    const job = { ...template, spec: { ...template.spec, restartPolicy: "Never" } };
    return {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata,
      spec: { completions: size, parallelism: size, template: job },
    };
  }
  const spec = { replicas: size, selector: { matchLabels: { app: name } }, template };
  if (group % 5 !== 4) return { apiVersion: "apps/v1", kind: "Deployment", metadata, spec };
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata,
    spec: { ...spec, serviceName: name, podManagementPolicy: "Parallel" },
  };
}
