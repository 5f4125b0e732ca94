import type { KubeObject } from "@boxship/api";
import type { Clock, Logger } from "@boxship/base";
import { type ApiClient, Informer } from "@boxship/client";

export interface ReferencedObjectsOptions {
  readonly client: ApiClient;
  readonly logger: Logger;
  readonly clock: Clock;
  /** An object that the pod reads has changed. */
  readonly changed: (podUid: string) => void;
}

interface Watched {
  readonly informer: Informer<DataObject>;
  readonly pods: Set<string>;
}

/** A ConfigMap or a Secret. */
export type DataObject = KubeObject & {
  type?: string;
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
};

export type DataResource = "configmaps" | "secrets";

/** The ConfigMaps and Secrets that pods of this node read, each watched by its name as long as a pod reads it. */
export class ReferencedObjects implements AsyncDisposable {
  readonly #options: ReferencedObjectsOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: ReferencedObjectsOptions) {
    this.#options = options;
  }

  /** The object as it is now, for a pod that goes on reading it until {@link release}; undefined when there is none. */
  async get(resource: DataResource, namespace: string, name: string, podUid: string): Promise<DataObject | undefined> {
    const key = `${resource}/${namespace}/${name}`;
    const watched = this.#watched.get(key) ?? this.#watch(key, resource, namespace, name);
    watched.pods.add(podUid);
    await watched.informer.synced;
    return watched.informer.get(`${namespace}/${name}`);
  }

  #watch(key: string, resource: DataResource, namespace: string, name: string): Watched {
    const { client, logger, clock, changed } = this.#options;
    const informer = new Informer<DataObject>({
      client,
      collection: { group: "", version: "v1", resource, namespace },
      fieldSelector: `metadata.name=${name}`,
      logger,
      clock,
    });
    const watched: Watched = { informer, pods: new Set() };
    const tell = (): void => {
      if (informer.hasSynced) for (const uid of watched.pods) changed(uid);
    };
    informer.handle({ added: tell, updated: tell, deleted: tell });
    informer.start();
    this.#watched.set(key, watched);
    return watched;
  }

  /** The pod reads nothing any more. */
  release(podUid: string): void {
    for (const [key, { informer, pods }] of this.#watched) {
      if (!pods.delete(podUid) || pods.size > 0) continue;
      this.#watched.delete(key);
      void informer[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#watched.values()];
    this.#watched.clear();
    await Promise.all(all.map(({ informer }) => informer[Symbol.asyncDispose]()));
  }
}

/** What an object has under a key, as bytes. */
export function dataOf(resource: DataResource, object: DataObject): ReadonlyMap<string, Buffer> {
  const text = resource === "secrets" ? "base64" : "utf8";
  return new Map([
    ...Object.entries(object.data ?? {}).map(([key, value]) => [key, Buffer.from(value, text)] as const),
    ...Object.entries(object.binaryData ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")] as const),
  ]);
}
