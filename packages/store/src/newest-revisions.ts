import type { KeyRange, Store } from "./contract.ts";

export interface NewestRevisionsOptions {
  /** Keys that are looked at. */
  readonly range: KeyRange;
  /** Under which name a key's revision is kept. */
  readonly nameOf: (key: string) => string;
}

/** The newest revision of each sort of keys, for who waits until all that was written is known somewhere else. */
export interface NewestRevisions extends AsyncDisposable {
  /** Of all that was written before the call. */
  newest(): Promise<ReadonlyMap<string, number>>;
}

/** Follows a store. @param store stays the caller's */
export async function followRevisions(
  store: Store,
  { range, nameOf }: NewestRevisionsOptions,
): Promise<NewestRevisions> {
  const newest = new Map<string, number>();
  const waiting = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  const watch = store.watch(range);
  await watch.ready;
  let seen = 0;
  const tell = (): void => {
    for (const one of waiting) {
      if (one.revision > seen) continue;
      waiting.delete(one);
      one.resolve();
    }
  };
  const watching = (async () => {
    for await (const { revision, events } of watch) {
      for (const event of events) newest.set(nameOf(event.kind === "put" ? event.item.key : event.key), revision);
      seen = revision;
      tell();
    }
  })();
  return {
    async newest() {
      // Of one key: that is answered at once, and by the newest revision of all.
      const { revision } = await store.range({ start: range.start });
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.add({ revision, resolve });
      tell();
      await promise;
      return newest;
    },
    async [Symbol.asyncDispose]() {
      await watch[Symbol.asyncDispose]();
      await watching;
    },
  };
}
