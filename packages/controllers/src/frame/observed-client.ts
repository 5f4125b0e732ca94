import { AsyncLocalStorage } from "node:async_hooks";
import type { Json } from "@boxship/api";
import { type JsonObject, type KubeObject, textAt } from "@boxship/api";
import {
  type ApiClient,
  type CallOptions,
  type Collection,
  type DeleteOptions,
  keyOf,
  type ListOptions,
  type ObjectList,
  type ObjectRef,
  type PatchOptions,
  type PatchType,
  type Resource,
  type WriteOptions,
} from "@boxship/client";
import type { ControllerClient } from "../contract.ts";
import type { SharedInformers } from "./shared-informers.ts";

/** Counts the writes of one look at one key. */
export interface WriteCount {
  writes: number;
}

export const writeCounts = new AsyncLocalStorage<WriteCount>();

/** A client whose writes resolve when the informer of their collection, if there is one, has seen them. */
export class ObservedClient implements ControllerClient {
  readonly #client: ApiClient;
  readonly #informers: SharedInformers;

  constructor(client: ApiClient, informers: SharedInformers) {
    this.#client = client;
    this.#informers = informers;
  }

  get<T extends KubeObject>(ref: ObjectRef, options?: CallOptions): Promise<T> {
    return this.#client.get(ref, options);
  }

  list<T extends KubeObject>(collection: Collection, options?: ListOptions): Promise<ObjectList<T>> {
    return this.#client.list(collection, options);
  }

  getRaw(path: string, options?: CallOptions): Promise<Json> {
    return this.#client.getRaw(path, options);
  }

  async create<T extends KubeObject>(collection: Collection, object: T, options?: WriteOptions): Promise<T> {
    count();
    const created = await this.#client.create(collection, object, options);
    if (options?.subresource === undefined) await this.#seen(collection, created);
    return created;
  }

  async update<T extends KubeObject>(ref: ObjectRef, object: T, options?: WriteOptions): Promise<T> {
    count();
    const updated = await this.#client.update(ref, object, options);
    await this.#seen(ref, updated);
    return updated;
  }

  async patch<T extends KubeObject>(ref: ObjectRef, type: PatchType, patch: Json, options?: PatchOptions): Promise<T> {
    count();
    const patched = await this.#client.patch<T>(ref, type, patch, options);
    await this.#seen(ref, patched);
    return patched;
  }

  async delete(ref: ObjectRef, options?: DeleteOptions): Promise<JsonObject> {
    count();
    const informer = this.#informers.find(ref);
    const key = keyOf({ apiVersion: "", kind: "", metadata: { namespace: ref.namespace ?? "", name: ref.name } });
    const uid = informer?.get(key)?.metadata.uid;
    const deleted = await this.#client.delete(ref, options);
    await informer?.until(() => {
      const known = informer.get(key);
      return known?.metadata.uid !== uid || known?.metadata.deletionTimestamp !== undefined || uid === undefined;
    });
    return deleted;
  }

  async #seen(resource: Resource, { metadata }: KubeObject): Promise<void> {
    const informer = this.#informers.find(resource);
    const version = Number(textAt(metadata, "resourceVersion"));
    await informer?.until(() => Number(informer.version) >= version);
  }
}

function count(): void {
  const counted = writeCounts.getStore();
  if (counted !== undefined) counted.writes++;
}
