import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type BlobInfo, type ContentStore, decompress } from "@boxship/oci";

/** The archive in a compressed layer, as a blob of the store. */
export async function decompressInto(store: ContentStore, file: string): Promise<BlobInfo> {
  const ingest = await store.ingest({ key: `plain ${randomBytes(8).toString("hex")}` });
  try {
    const source = createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
    for await (const piece of decompress(source)) await ingest.write(piece);
    return await ingest.commit();
  } catch (error) {
    await ingest.abort();
    throw error;
  }
}
