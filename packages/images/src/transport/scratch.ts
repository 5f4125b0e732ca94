import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ContentStore, openContentStore } from "@boxship/oci";

/** A content store that is gone when it is disposed. */
export interface Scratch extends AsyncDisposable {
  readonly store: ContentStore;
  readonly path: string;
}

/** @param directory where it is made, @default the system's directory for temporary files */
export async function openScratch(directory: string = tmpdir()): Promise<Scratch> {
  const path = await mkdtemp(join(directory, ".boxship-images-"));
  try {
    const store = await openContentStore({ root: path });
    return {
      store,
      path,
      async [Symbol.asyncDispose]() {
        await store[Symbol.asyncDispose]();
        await rm(path, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(path, { recursive: true, force: true });
    throw error;
  }
}
