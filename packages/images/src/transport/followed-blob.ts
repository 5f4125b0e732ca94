import { link } from "node:fs/promises";
import { Unavailable } from "@boxship/base";
import { BlobProgress, type BlobRequest, type ContentStore, type RegistryClient } from "@boxship/oci";
import type { LocalBlob } from "./contract.ts";

export interface FollowedRequest extends Pick<BlobRequest, "reference" | "descriptor"> {
  readonly store: ContentStore;
}

const NEVER_CANCELLED = new Int32Array(new SharedArrayBuffer(4));

/** Fetches a blob whose file is handed out while it grows, where that can be. */
export async function followedBlob(client: RegistryClient, request: FollowedRequest): Promise<LocalBlob> {
  const { descriptor, store } = request;
  const progress = new BlobProgress();
  const opened = Promise.withResolvers<string>();
  const controller = new AbortController();
  let lost = false;
  const fetched = client.fetchBlob({
    ...request,
    signal: controller.signal,
    follow: {
      progress,
      lost: () => {
        lost = true;
      },
      // The file is renamed when it is whole: under a second name it stays where readers look.
      opened: async (path) => {
        const stable = `${path}.followed`;
        await link(path, stable);
        opened.resolve(stable);
      },
    },
  });
  const whole = fetched.then(
    () => progress.complete(),
    (error: unknown) => {
      progress.fail();
      throw error;
    },
  );
  whole.catch(() => {});
  const path = await Promise.race([opened.promise, whole.then(() => undefined)]);
  if (path === undefined) return { path: await store.path(descriptor.digest), owned: true };
  return {
    path,
    owned: false,
    growing: {
      async reached(bytes) {
        if (bytes >= descriptor.size) return whole;
        for (let there: number | "complete" = 0; there !== "complete" && there < bytes; ) {
          there = await progress.beyond(there, NEVER_CANCELLED).catch(async (error: unknown) => {
            await whole;
            throw error;
          });
        }
        if (lost) throw new Unavailable(`blob ${descriptor.digest} changed while it was copied`);
      },
      async stop() {
        controller.abort();
        return whole.then(
          () => undefined,
          (error: unknown) => (error === controller.signal.reason ? undefined : error),
        );
      },
    },
  };
}
