import { isObject, type Json, listAt, textAt, valueAt } from "@boxship/api";
import type { Api } from "../request/api.ts";

/** One version of one resource as the server offers it. */
export interface Mapping {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural. */
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly string[];
}

export interface GroupVersions {
  readonly group: string;
  /** The preferred one first. */
  readonly versions: readonly string[];
}

export interface Discovery {
  readonly groups: readonly GroupVersions[];
  /** In the order of groups, preferred versions first. */
  readonly mappings: readonly Mapping[];
}

const AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/** What a server offers: by aggregated discovery, or one question per version where it has none. */
export async function discover(api: Api): Promise<Discovery> {
  const [core, others] = await Promise.all(
    ["/api", "/apis"].map((path) => api.call("GET", path, { accept: AGGREGATED })),
  );
  const groups: GroupVersions[] = [];
  const mappings: Mapping[] = [];
  for (const answer of [core, others] as const) {
    if (textAt(answer, "kind") === "APIGroupDiscoveryList") readAggregated(answer, groups, mappings);
    else await readPlain(api, answer, groups, mappings);
  }
  return { groups, mappings };
}

function readAggregated(answer: Json | undefined, groups: GroupVersions[], mappings: Mapping[]): void {
  for (const item of listAt(answer, "items")) {
    const group = textAt(item, "metadata", "name");
    const versions = listAt(item, "versions");
    groups.push({ group, versions: versions.map((one) => textAt(one, "version")) });
    for (const version of versions) {
      for (const one of listAt(version, "resources")) {
        mappings.push({
          group,
          version: textAt(version, "version"),
          resource: textAt(one, "resource"),
          singular: textAt(one, "singularResource"),
          kind: textAt(one, "responseKind", "kind"),
          namespaced: textAt(one, "scope") === "Namespaced",
          ...listsOf(one),
          subresources: listAt(one, "subresources").map((below) => textAt(below, "subresource")),
        });
      }
    }
  }
}

const texts = (value: Json | undefined, field: string): readonly string[] =>
  listAt(value, field).map((item) => textAt(item));

const listsOf = (value: Json) => ({
  verbs: texts(value, "verbs"),
  shortNames: texts(value, "shortNames"),
  categories: texts(value, "categories"),
});

async function readPlain(api: Api, answer: Json | undefined, groups: GroupVersions[], mappings: Mapping[]) {
  const found: GroupVersions[] =
    textAt(answer, "kind") === "APIVersions"
      ? [{ group: "", versions: texts(answer, "versions") }]
      : listAt(answer, "groups").map((group) => ({
          group: textAt(group, "name"),
          versions: listAt(group, "versions").map((one) => textAt(one, "version")),
        }));
  groups.push(...found);
  for (const { group, versions } of found) {
    for (const version of versions) {
      const path = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
      const list = await api.call("GET", path).catch(() => undefined);
      const all = listAt(list, "resources");
      for (const one of all) {
        const resource = textAt(one, "name");
        if (resource.includes("/")) continue;
        const below = all.map((other) => textAt(other, "name")).filter((name) => name.startsWith(`${resource}/`));
        mappings.push({
          group,
          version,
          resource,
          singular: textAt(one, "singularName"),
          kind: textAt(one, "kind"),
          namespaced: valueAt(one, "namespaced") === true,
          ...listsOf(one),
          subresources: below.map((name) => name.slice(resource.length + 1)),
        });
      }
    }
  }
}

/** A name with its group, as messages have it: `deployments.apps`. */
export const qualifiedResource = ({ group, resource }: Pick<Mapping, "group" | "resource">): string =>
  group === "" ? resource : `${resource}.${group}`;

export const apiVersionOfMapping = ({ group, version }: Pick<Mapping, "group" | "version">): string =>
  group === "" ? version : `${group}/${version}`;

export function collectionPathOf(mapping: Mapping, namespace: string): string {
  const root = mapping.group === "" ? `/api/${mapping.version}` : `/apis/${mapping.group}/${mapping.version}`;
  const within = mapping.namespaced && namespace !== "" ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${within}/${mapping.resource}`;
}

export function objectPathOf(mapping: Mapping, namespace: string, name: string, subresource = ""): string {
  const below = subresource === "" ? "" : `/${subresource}`;
  return `${collectionPathOf(mapping, namespace)}/${encodeURIComponent(name)}${below}`;
}

export const isListKind = (value: Json): boolean =>
  isObject(value) && textAt(value, "kind").endsWith("List") && Array.isArray(value["items"]);
