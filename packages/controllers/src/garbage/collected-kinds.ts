import { builtinKinds, customKindsOf, type Kind, KindRegistry, type KubeObject, parseApiVersion } from "@boxship/api";
import type { Resource } from "@boxship/client";
import type { SharedInformers } from "../frame/shared-informers.ts";
import { conditionOf } from "../shared/pods.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "../shared/resources.ts";
import type { Condition } from "../types/pod.ts";

interface Definition extends KubeObject {
  status?: { conditions?: Condition[] };
}

export const resourceOf = ({ group, version, resource }: Kind): Resource => ({ group, version, resource });

/** Owners of events would be deleted and found again for ever; nobody owns them, and they end by themselves. */
const isCollected = ({ verbs, resource, group }: Kind): boolean =>
  verbs.has("watch") && verbs.has("delete") && !(resource === "events" && (group === "" || group === "events.k8s.io"));

/** Every kind that objects may be of which are collected: the built-in ones, and custom ones as they come and go. */
export class CollectedKinds {
  readonly #registry = new KindRegistry(builtinKinds());
  readonly #informers: SharedInformers;
  readonly #follow: (kind: Kind) => void;
  readonly #forget: (kind: Kind) => void;
  /** The version that is followed, by definition. */
  readonly #custom = new Map<string, Kind>();

  /** @param follow is called for each kind when it is there, @param forget when it is gone */
  constructor(informers: SharedInformers, follow: (kind: Kind) => void, forget: (kind: Kind) => void) {
    this.#informers = informers;
    this.#follow = follow;
    this.#forget = forget;
    // Of a resource that is served in several versions, one tells of all its objects.
    const kinds = new Map(builtinKinds().map((kind) => [`${kind.group}/${kind.resource}`, kind]));
    for (const kind of kinds.values()) if (isCollected(kind)) follow(kind);
    informers.of<Definition>(CUSTOM_RESOURCE_DEFINITIONS).handle({
      added: (definition) => this.#defined(definition),
      updated: (definition) => this.#defined(definition),
      deleted: (definition) => this.#gone(definition),
    });
  }

  /** The kind that a reference names; undefined for one that is not served. */
  find(apiVersion: string, kind: string): Kind | undefined {
    const { group = "", version = "" } = parseApiVersion(apiVersion) ?? {};
    return this.#registry.findKind(group, version, kind);
  }

  #defined(definition: Definition): void {
    if (conditionOf(definition.status, "Established")?.status !== "True") return;
    const { name = "" } = definition.metadata;
    const kinds = customKindsOf(definition, "served");
    const [first] = kinds;
    if (first === undefined) return;
    this.#registry.put(...kinds);
    const followed = this.#custom.get(name);
    if (followed !== undefined && kinds.some(({ version }) => version === followed.version)) return;
    if (followed !== undefined) this.#drop(followed);
    const kind = kinds.find(({ version, storageVersion }) => version === storageVersion) ?? first;
    this.#custom.set(name, kind);
    this.#follow(kind);
  }

  #gone(definition: Definition): void {
    const { name = "" } = definition.metadata;
    const followed = this.#custom.get(name);
    this.#custom.delete(name);
    if (followed === undefined) return;
    this.#registry.remove(({ group, resource }) => group === followed.group && resource === followed.resource);
    this.#drop(followed);
  }

  #drop(kind: Kind): void {
    void this.#informers.end(resourceOf(kind));
    this.#forget(kind);
  }
}
