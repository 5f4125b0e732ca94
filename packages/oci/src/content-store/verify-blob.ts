import { NotFound } from "@boxship/base";
import { type Digest, Digester, digestAlgorithm } from "../digest.ts";
import type { ContentStore } from "./contract.ts";

export type BlobState = "whole" | "corrupt" | "missing";

/** Reads a blob whole and compares it with its digest. What cannot be read is corrupt, too. */
export async function verifyBlob(store: Pick<ContentStore, "open">, digest: Digest): Promise<BlobState> {
  try {
    await using reader = await store.open(digest);
    const digester = new Digester(digestAlgorithm(digest));
    for await (const piece of reader.chunks()) digester.update(piece);
    return digester.digest() === digest ? "whole" : "corrupt";
  } catch (error) {
    return error instanceof NotFound ? "missing" : "corrupt";
  }
}
