import { type ContentStore, type Digest, openContentStore } from "@boxship/oci";
import type { BlobContent, ImageDestination } from "./contract.ts";
import { openWorkspace } from "./workspace.ts";

/** A content store that is gone when it is disposed. */
export interface Scratch extends AsyncDisposable {
  readonly store: ContentStore;
  readonly path: string;
}

export interface ScratchOptions {
  /** Where it is made. @default the system's directory for temporary files */
  readonly directory?: string | undefined;
  /** Its blobs are moved to where they must outlive a loss of power. @default false */
  readonly durable?: boolean;
}

export async function openScratch({ directory, durable = false }: ScratchOptions = {}): Promise<Scratch> {
  const workspace = await openWorkspace(directory);
  const { path } = workspace;
  try {
    const store = await openContentStore({ root: path, durable });
    return {
      store,
      path,
      async [Symbol.asyncDispose]() {
        await store[Symbol.asyncDispose]();
        await workspace[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await workspace[Symbol.asyncDispose]();
    throw error;
  }
}

/** What was made for the destination. */
export function inScratch(scratch: ContentStore, digest: Digest): BlobContent {
  return { file: async () => ({ path: await scratch.path(digest), owned: true }) };
}

/** A scratch store that is made when something is first kept in it: many copies need none. */
export class LazyScratch implements AsyncDisposable {
  readonly #destination: ImageDestination;
  #opening: Promise<Scratch> | undefined;

  constructor(destination: ImageDestination) {
    this.#destination = destination;
  }

  async store(): Promise<ContentStore> {
    this.#opening ??= scratchFor(this.#destination);
    return (await this.#opening).store;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whoever asked for it heard why there is none.
    const scratch = await this.#opening?.catch(() => undefined);
    await scratch?.[Symbol.asyncDispose]();
  }
}

/** The scratch store of a copy: on the destination's file system, if files are moved there. */
export function scratchFor({ scratch }: ImageDestination): Promise<Scratch> {
  return openScratch({ directory: scratch?.directory, durable: scratch?.moved ?? false });
}
