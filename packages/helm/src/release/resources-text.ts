import { isObject, type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import {
  collectionPathOf,
  isNotFound,
  objectPathOf,
  type Session,
  TABLE_ACCEPT,
  tableLines,
} from "@boxship/kubectl/cluster";
import type { Release } from "./release.ts";
import { type Resource, resourcesOf } from "./resources.ts";

const WITH_PODS = new Set(["DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"]);

/** The objects of a release that are there, a table for each kind, and the pods of its workloads. */
export async function resourcesText(session: Session, release: Release): Promise<string> {
  const owner = { name: release.name, namespace: release.namespace };
  const resources = await resourcesOf(session, release.manifest, owner, () => undefined);
  const api = await session.api();
  const tables = new Map<string, Json[]>();
  const add = (title: string, table: Json): void => void tables.set(title, [...(tables.get(title) ?? []), table]);
  const selectors = new Set<string>();
  for (const one of resources) {
    const { mapping, namespace, name } = one;
    try {
      const path = objectPathOf(mapping, namespace, name);
      add(`${mapping.version}/${mapping.kind}`, await api.call("GET", path, { accept: TABLE_ACCEPT }));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      continue;
    }
    const selector = await selectorOf(session, one);
    if (selector === "" || selectors.has(`${namespace} ${selector}`)) continue;
    selectors.add(`${namespace} ${selector}`);
    const pods = collectionPathOf((await session.mapper()).known("", "pods"), namespace);
    const table = await api.call("GET", pods, { accept: TABLE_ACCEPT, query: { labelSelector: selector } });
    if (listAt(table, "rows").length > 0) add("v1/Pod(related)", table);
  }
  return [...tables].map(([title, all]) => `==> ${title}\n${tableLines(all)}\n`).join("");
}

/** The labels of a workload's pods; a job's are known to the cluster alone. */
async function selectorOf(session: Session, one: Resource): Promise<string> {
  if (!WITH_PODS.has(one.kind)) return "";
  const object = (await (
    await session.api()
  ).call("GET", objectPathOf(one.mapping, one.namespace, one.name))) as KubeObject;
  const labels = valueAt(object, "spec", "selector", "matchLabels") ?? valueAt(object, "spec", "selector");
  if (!isObject(labels)) return "";
  return Object.keys(labels)
    .map((key) => `${key}=${textAt(labels, key)}`)
    .join(",");
}
