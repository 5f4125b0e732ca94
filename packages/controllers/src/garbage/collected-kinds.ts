import { builtinKinds, type Kind } from "@boxship/api";
import type { Resource } from "@boxship/client";
import type { SharedInformers } from "../frame/shared-informers.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "../shared/resources.ts";
import { type Definition, kindsOf, ServedKinds } from "../shared/served-kinds.ts";
import type { CollectedKind } from "./owner-graph.ts";

export const resourceOf = ({ group, version, resource }: CollectedKind): Resource => ({ group, version, resource });

/** Owners of events would be deleted and found again for ever; nobody owns them, and they end by themselves. */
const isCollected = ({ verbs, resource, group }: Kind): boolean =>
  verbs.has("watch") && verbs.has("delete") && !(resource === "events" && (group === "" || group === "events.k8s.io"));

/** Every kind that objects may be of which are collected: the built-in ones, and custom ones as they come and go. */
export class CollectedKinds {
  readonly #served: ServedKinds;
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
    this.#served = new ServedKinds(informers);
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
    return this.#served.find(apiVersion, kind);
  }

  #defined(definition: Definition): void {
    const { name = "" } = definition.metadata;
    const kinds = kindsOf(definition);
    const [first] = kinds;
    if (first === undefined) return;
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
    if (followed !== undefined) this.#drop(followed);
  }

  #drop(kind: Kind): void {
    void this.#informers.end(resourceOf(kind));
    this.#forget(kind);
  }
}
