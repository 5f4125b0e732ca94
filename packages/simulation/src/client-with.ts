import type { ApiClient } from "@boxship/client";

/** A client of which some verbs are others. */
export function clientWith(client: ApiClient, other: Partial<ApiClient>): ApiClient {
  return {
    get: (...args) => client.get(...args),
    list: (...args) => client.list(...args),
    watch: (...args) => client.watch(...args),
    create: (...args) => client.create(...args),
    update: (...args) => client.update(...args),
    patch: (...args) => client.patch(...args),
    delete: (...args) => client.delete(...args),
    deleteCollection: (...args) => client.deleteCollection(...args),
    getRaw: (...args) => client.getRaw(...args),
    postRaw: (...args) => client.postRaw(...args),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    ...other,
  };
}
