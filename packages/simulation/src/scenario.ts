import { isObject, type Json, type JsonObject, type KubeObject } from "@boxship/api";
import { errorMessage, InvalidArgument, parseDuration } from "@boxship/base";
import { loadAll } from "js-yaml";
import { AT, COUNT, checkAnnotations, UNTIL } from "./scenario-annotations.ts";

/** An object, and when it comes and goes: milliseconds from the start. */
export interface Load {
  readonly object: KubeObject;
  readonly at: number;
  /** @default it stays */
  readonly until?: number;
  /** Merge patches of it. @default none */
  readonly edits?: readonly { readonly at: number; readonly patch: JsonObject }[];
}

const MOST_OF_ALL = 200_000;

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
  let left = MOST_OF_ALL;
  return objects.flatMap((one, index) => {
    const { object, count, ...times } = readObject(one as Json, `document ${index + 1}`);
    left -= count ?? 1;
    if (left < 0) throw new InvalidArgument(`the scenario has more than ${MOST_OF_ALL} objects`);
    return count === undefined
      ? [{ object, ...times }]
      : Array.from({ length: count }, (_, number) => ({ object: numbered(object, number), ...times }));
  });
}

/** The nodes that loads bring, by name. */
export const nodesOf = (loads: readonly Load[]): string[] =>
  loads.flatMap(({ object: { kind, metadata } }) => (kind === "Node" ? [metadata.name ?? ""] : []));

function numbered(object: KubeObject, number: number): KubeObject {
  const copy = structuredClone(object);
  return { ...copy, metadata: { ...copy.metadata, name: `${object.metadata.name}-${number}` } };
}

/** @returns with how many there are of it, where it says so */
function readObject(value: Json, at: string): Load & { readonly count?: number } {
  if (
    !isObject(value) ||
    !isObject(value["metadata"]) ||
    typeof value["kind"] !== "string" ||
    typeof value["apiVersion"] !== "string"
  ) {
    throw new InvalidArgument(`${at} of the scenario is no object of Kubernetes`);
  }
  checkAnnotations(value, at);
  const { metadata, ...rest } = value as unknown as KubeObject;
  if (typeof metadata.name !== "string" || metadata.name === "")
    throw new InvalidArgument(`${at} of the scenario has no name`);
  const { [COUNT]: count, [AT]: begin = "0s", [UNTIL]: end, ...annotations } = metadata.annotations ?? {};
  const [from, until] = [begin, end].map((text) => (text === undefined ? undefined : parseDuration(text) / 1e6));
  if (until !== undefined && until <= (from ?? 0))
    throw new InvalidArgument(`${at} of the scenario ends before it begins`);
  return {
    object: { ...rest, metadata: { ...metadata, annotations } },
    at: from ?? 0,
    ...(until === undefined ? {} : { until }),
    ...(count === undefined ? {} : { count: Number(count) }),
  };
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
