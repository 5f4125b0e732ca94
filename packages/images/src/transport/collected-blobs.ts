import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { bytesOf, type Descriptor, type Digest, digestAlgorithm, type TarInput, tarEntry } from "@boxship/oci";
import type { BlobContent, LocalBlob } from "./contract.ts";
import { damaged, readSmallFile } from "./files.ts";

/** Blobs that become members of an archive: where their files are, which are not copied before. */
export class CollectedBlobs {
  readonly #blobs = new Map<Digest, { readonly descriptor: Descriptor; readonly content: LocalBlob | Uint8Array }>();

  async put(descriptor: Descriptor, { file }: BlobContent): Promise<"copied" | "present"> {
    if (this.#blobs.has(descriptor.digest)) return "present";
    this.#blobs.set(descriptor.digest, { descriptor, content: await file() });
    return "copied";
  }

  /** Takes content whose digest was made of it. */
  putBytes(descriptor: Descriptor, bytes: Uint8Array): void {
    this.#blobs.set(descriptor.digest, { descriptor, content: bytes });
  }

  /** In the order of their digests. */
  get digests(): readonly Digest[] {
    return [...this.#blobs.keys()].sort();
  }

  /** A blob as a member. Reading its body fails if its file is not what the descriptor says. */
  member(digest: Digest, name: string): TarInput {
    const { descriptor, content } = this.#get(digest);
    if (content instanceof Uint8Array) return memberOf(name, content);
    const entry = tarEntry({ type: "file", name: bytesOf(name), size: descriptor.size });
    const source = createReadStream(content.path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
    return { entry, body: content.owned ? source : checked(descriptor, source) };
  }

  /** A small blob in memory, verified. @param limit bytes */
  async read(digest: Digest, limit: number): Promise<Uint8Array> {
    const { descriptor, content } = this.#get(digest);
    if (content instanceof Uint8Array) return content;
    const bytes = await readSmallFile(content.path, limit);
    if (content.owned) return bytes;
    const [whole] = await Array.fromAsync(checked(descriptor, [bytes]));
    return whole ?? bytes;
  }

  #get(digest: Digest) {
    const blob = this.#blobs.get(digest);
    if (blob === undefined) throw new Error(`blob ${digest} was never put`);
    return blob;
  }
}

/** A member whose content is in memory. */
export function memberOf(name: string, content: Uint8Array | string): TarInput {
  const body = Buffer.from(content as Uint8Array);
  return { entry: tarEntry({ type: "file", name: bytesOf(name), size: body.length }), body };
}

/** The pieces as they are; fails at the end, or beyond the size, if they are not the blob. */
async function* checked(
  descriptor: Descriptor,
  pieces: Iterable<Buffer> | AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const algorithm = digestAlgorithm(descriptor.digest);
  const hash = createHash(algorithm);
  let size = 0;
  for await (const piece of pieces) {
    hash.update(piece);
    size += piece.length;
    if (size <= descriptor.size) yield piece;
  }
  const digest = `${algorithm}:${hash.digest("hex")}`;
  if (digest !== descriptor.digest || size !== descriptor.size) throw damaged(descriptor, { digest, size });
}
