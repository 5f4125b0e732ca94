import { type KubeObject, textAt } from "@boxship/api";
import type { Clock, Logger } from "@boxship/base";
import { type ApiClient, type Indexer, Informer, type Resource } from "@boxship/client";
import { controllerOf } from "../shared/owners.ts";

export interface SharedInformersOptions {
  readonly client: ApiClient;
  readonly logger: Logger;
  /** For waits after failures. */
  readonly clock?: Clock;
}

/** One name for a resource, whatever its version: `deployments.apps`, `pods`. */
export function resourceName({ group, resource }: Resource): string {
  return group === "" ? resource : `${resource}.${group}`;
}

/** By the uid of what controls them, by their namespace, and those that nobody controls by theirs. */
const INDEXERS: Readonly<Record<string, Indexer<KubeObject>>> = {
  controller: (object) => {
    const uid = controllerOf(object)?.uid;
    return uid === undefined ? [] : [uid];
  },
  namespace: ({ metadata: { namespace = "" } }) => [namespace],
  orphan: (object) => (controllerOf(object) === undefined ? [object.metadata.namespace ?? ""] : []),
};

const textOfSpec =
  (field: string): Indexer<KubeObject> =>
  (object) => {
    const text = textAt(object, "spec", field);
    return text === "" ? [] : [text];
  };

const SPECIAL_INDEXERS: Readonly<Record<string, Readonly<Record<string, Indexer<KubeObject>>>>> = {
  pods: { ...INDEXERS, node: textOfSpec("nodeName") },
  persistentvolumeclaims: { ...INDEXERS, volume: textOfSpec("volumeName") },
};

/** One informer for each resource, whoever asks for it. They have the indexes
 * `controller`, `namespace`, `orphan`, pods `node`, and claims `volume`. */
export class SharedInformers implements AsyncDisposable {
  readonly #options: SharedInformersOptions;
  readonly #informers = new Map<string, Informer<KubeObject>>();
  /** Of resources that other servers have. */
  readonly #remote = new Map<string, Informer<KubeObject>>();
  #started = false;

  constructor(options: SharedInformersOptions) {
    this.#options = options;
  }

  /** The informer of a resource; a new one is started when the others are. */
  of<T extends KubeObject>(resource: Resource): Informer<T> {
    const name = resourceName(resource);
    let informer = this.#informers.get(name);
    if (informer === undefined) {
      const indexers = SPECIAL_INDEXERS[name] ?? INDEXERS;
      const { group, version, resource: plural } = resource;
      informer = new Informer({ ...this.#options, collection: { group, version, resource: plural }, indexers });
      this.#informers.set(name, informer);
      if (this.#started) informer.start();
    }
    // Every object of the collection is of the kind that the caller asks for.
    return informer as unknown as Informer<T>;
  }

  /**
   * The informer of a resource that a server behind ours has: it is not waited for, neither at the start nor after a write,
   * because that server may be away, and counts its versions in its own way.
   */
  ofRemote(resource: Resource): Informer<KubeObject> {
    const name = resourceName(resource);
    let informer = this.#remote.get(name);
    if (informer === undefined) {
      const { group, version, resource: plural } = resource;
      informer = new Informer({ ...this.#options, collection: { group, version, resource: plural } });
      this.#remote.set(name, informer.start());
    }
    return informer;
  }

  async endRemote(resource: Resource): Promise<void> {
    const name = resourceName(resource);
    const informer = this.#remote.get(name);
    this.#remote.delete(name);
    await informer?.[Symbol.asyncDispose]();
  }

  /** The informer of a resource that somebody has asked for before. */
  find(resource: Resource): Informer<KubeObject> | undefined {
    return this.#informers.get(resourceName(resource));
  }

  all(): IterableIterator<[name: string, informer: Informer<KubeObject>]> {
    return this.#informers.entries();
  }

  /** Starts all, and resolves when all know what is there. */
  async start(): Promise<void> {
    this.#started = true;
    for (const informer of this.#informers.values()) informer.start();
    await Promise.all([...this.#informers.values()].map(({ synced }) => synced));
  }

  /** Ends the informer of a resource that is no longer served. */
  async end(resource: Resource): Promise<void> {
    const name = resourceName(resource);
    const informer = this.#informers.get(name);
    this.#informers.delete(name);
    await informer?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#informers.values(), ...this.#remote.values()];
    await Promise.all(all.map((informer) => informer[Symbol.asyncDispose]()));
  }
}
