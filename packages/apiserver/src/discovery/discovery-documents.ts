import { createHash } from "node:crypto";
import { apiVersionOf, type JsonObject, type Kind, type KindRegistry, noSuchRoute } from "@boxship/api";
import type { ExtensionServers } from "../aggregation/extension-servers.ts";
import { negotiate } from "../http/accept.ts";
import { type BytesReply, JSON_TYPE, jsonReply } from "../http/reply.ts";
import { extensionResources } from "./extension-resources.ts";
import { type GroupVersions, groupsOf, type VersionKinds } from "./groups.ts";
import { subresourcesOf } from "./subresources.ts";

const AGGREGATED_TYPE = `${JSON_TYPE};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`;

function isAggregated(as: string, parameters: ReadonlyMap<string, string>): boolean {
  return (
    as === "APIGroupDiscoveryList" && parameters.get("g") === "apidiscovery.k8s.io" && parameters.get("v") === "v2"
  );
}

interface Headers {
  readonly accept?: string | undefined;
  readonly "if-none-match"?: string | undefined;
}

/** What is served here, in the many small documents of old and in the aggregated ones. Made when somebody asks. */
export class DiscoveryDocuments {
  readonly #kinds: KindRegistry;
  readonly #extensions: Pick<ExtensionServers, "generation" | "all">;
  #generation = "";
  #groups: readonly GroupVersions[] = [];
  readonly #aggregated = new Map<string, BytesReply>();

  constructor(kinds: KindRegistry, extensions: Pick<ExtensionServers, "generation" | "all">) {
    this.#kinds = kinds;
    this.#extensions = extensions;
  }

  /** @param path begins with `/api` @throws NotFound for groups and versions that are not served */
  reply(path: string, headers: Headers): BytesReply {
    this.#refresh();
    const [root, group, version, ...rest] = path.split("/").filter((part) => part !== "");
    if (group === undefined) return this.#root(root ?? "", headers);
    if (root === "api" && version === undefined) return this.#resources("", group);
    if (root !== "apis" || rest.length > 0) throw noSuchRoute();
    if (version !== undefined) return this.#resources(group, version);
    const found = this.#groups.find((one) => one.group === group);
    if (found === undefined || group === "") throw noSuchRoute();
    return jsonReply({ kind: "APIGroup", apiVersion: "v1", ...apiGroup(found) });
  }

  #refresh(): void {
    const generation = `${this.#kinds.generation} ${this.#extensions.generation}`;
    if (this.#generation === generation) return;
    this.#generation = generation;
    this.#groups = groupsOf(this.#kinds, this.#extensions.all());
    this.#aggregated.clear();
  }

  #root(root: string, headers: Headers): BytesReply {
    const { parameters } = negotiate(headers.accept, { isForm: isAggregated });
    if (parameters.get("as") === "APIGroupDiscoveryList") return this.#aggregate(root, headers["if-none-match"]);
    if (root === "apis") {
      const groups = this.#groups.filter(({ group }) => group !== "").map(apiGroup);
      return jsonReply({ kind: "APIGroupList", apiVersion: "v1", groups });
    }
    return jsonReply({ kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] });
  }

  #resources(group: string, version: string): BytesReply {
    const found = this.#groups.find((one) => one.group === group)?.versions.find((one) => one.version === version);
    if (found === undefined) throw noSuchRoute();
    const resources = found.kinds.flatMap(apiResources);
    return jsonReply({
      kind: "APIResourceList",
      apiVersion: "v1",
      groupVersion: apiVersionOf({ group, version }),
      resources,
    });
  }

  #aggregate(root: string, known: string | undefined): BytesReply {
    let reply = this.#aggregated.get(root);
    if (reply === undefined) {
      const groups = this.#groups.filter(({ group }) => (group === "") === (root === "api"));
      const document = {
        kind: "APIGroupDiscoveryList",
        apiVersion: "apidiscovery.k8s.io/v2",
        metadata: {},
        items: groups.map(({ group, versions }) => ({
          metadata: group === "" ? { creationTimestamp: null } : { name: group, creationTimestamp: null },
          versions: versions.map(aggregatedVersion),
        })),
      };
      const body = Buffer.from(`${JSON.stringify(document)}\n`);
      const etag = `"${createHash("sha256").update(body).digest("hex").toUpperCase()}"`;
      reply = { status: 200, contentType: AGGREGATED_TYPE, body: [body], headers: { etag, vary: "Accept" } };
      this.#aggregated.set(root, reply);
    }
    return known !== undefined && known === reply.headers?.["etag"] ? { ...reply, status: 304, body: [] } : reply;
  }
}

function apiGroup({ group, versions }: GroupVersions): JsonObject {
  const all = versions.map(({ version }) => ({ groupVersion: apiVersionOf({ group, version }), version }));
  return { name: group, versions: all, preferredVersion: all[0] ?? null };
}

function apiResources(kind: Kind): JsonObject[] {
  const { resource: name, singular: singularName, namespaced, shortNames, categories } = kind;
  const own: JsonObject = { name, singularName, namespaced, kind: kind.kind, verbs: verbsOf(kind) };
  if (shortNames.length > 0) own["shortNames"] = [...shortNames];
  if (categories.length > 0) own["categories"] = [...categories];
  const below = subresourcesOf(kind).map((sub): JsonObject => {
    const foreign = sub.group === undefined ? {} : { group: sub.group, version: sub.version ?? "" };
    return {
      name: `${name}/${sub.name}`,
      singularName: "",
      namespaced,
      ...foreign,
      kind: sub.kind,
      verbs: [...sub.verbs],
    };
  });
  return [own, ...below];
}

const verbsOf = ({ verbs }: Kind): string[] => [...verbs].sort();

function aggregatedVersion({ version, kinds, extension }: VersionKinds): JsonObject {
  if (extension !== undefined) {
    const freshness = extension.available ? "Current" : "Stale";
    return { version, resources: extensionResources(extension), freshness };
  }
  return { version, resources: kinds.map(aggregatedResource), freshness: "Current" };
}

function aggregatedResource(kind: Kind): JsonObject {
  const { group, version, shortNames, categories } = kind;
  const below = subresourcesOf(kind).map(
    (sub): JsonObject => ({
      subresource: sub.name,
      responseKind: { group: sub.group ?? group, version: sub.version ?? version, kind: sub.kind },
      verbs: [...sub.verbs],
    }),
  );
  return {
    resource: kind.resource,
    responseKind: { group, version, kind: kind.kind },
    scope: kind.namespaced ? "Namespaced" : "Cluster",
    singularResource: kind.singular,
    verbs: verbsOf(kind),
    ...(shortNames.length === 0 ? {} : { shortNames: [...shortNames] }),
    ...(categories.length === 0 ? {} : { categories: [...categories] }),
    ...(below.length === 0 ? {} : { subresources: below }),
  };
}
