import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { InvalidArgument, NotFound, systemCode, writeFileAtomic } from "@boxship/base";
import { type Digest, digestAlgorithm, digestHex, isDigest } from "@boxship/oci";
import type { CacheSink, CacheStore } from "../contract.ts";
import { DEFAULT_TAG, findLayoutEntry, type LayoutIndex, parseLayoutIndex, withLayoutEntry } from "./layout-index.ts";

/** The path of a blob in an OCI layout (image-layout.md). @throws InvalidArgument for what is no digest */
export function layoutBlob(digest: string): string {
  if (!isDigest(digest)) throw new InvalidArgument(`${JSON.stringify(digest)} is no digest`);
  return join("blobs", digestAlgorithm(digest), digestHex(digest));
}

/**
 * A cache in a directory on this host, in OCI layout, as a local export writes it.
 *
 * @param options `digest` of the manifest, else it is found by `tag`
 */
export function directoryStore(
  path: string,
  options: { readonly digest?: string | undefined; readonly tag?: string | undefined } = {},
): CacheStore {
  return {
    root: async () => options.digest ?? findLayoutEntry(await readIndex(path), options.tag ?? DEFAULT_TAG),
    async *read(digest) {
      try {
        for await (const piece of createReadStream(join(path, layoutBlob(digest)))) yield piece as Buffer;
      } catch (error) {
        if (systemCode(error) !== "ENOENT") throw error;
        throw new NotFound(`blob ${digest} is not in ${path}`, { cause: error });
      }
    },
  };
}

async function readIndex(path: string): Promise<LayoutIndex> {
  let text: string;
  try {
    text = await readFile(join(path, "index.json"), "utf8");
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new NotFound(`there is no cache in ${path}: no index.json`, { cause: error });
  }
  return parseLayoutIndex(text);
}

/** Writes a cache into a directory on this host, in OCI layout; what is there already stays. */
export function directorySink(path: string, tag: string = DEFAULT_TAG): CacheSink {
  const exists = async (digest: Digest, size: number) => {
    try {
      return (await stat(join(path, layoutBlob(digest)))).size === size;
    } catch {
      return false;
    }
  };
  return {
    has: ({ digest, size }) => exists(digest, size),
    write: async ({ digest }, bytes) => {
      const target = join(path, layoutBlob(digest));
      await mkdir(join(target, ".."), { recursive: true });
      const part = `${target}.${randomBytes(6).toString("hex")}`;
      try {
        {
          await using file = await open(part, "wx");
          for await (const piece of bytes) await file.writeFile(piece);
          await file.sync();
        }
        await rename(part, target);
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
    },
    finish: async (manifest) => {
      await mkdir(path, { recursive: true });
      const before = await readIndex(path).catch(() => ({ manifests: [] }));
      await writeFileAtomic(join(path, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
      await writeFileAtomic(join(path, "index.json"), JSON.stringify(withLayoutEntry(before, manifest, tag)));
    },
  };
}
