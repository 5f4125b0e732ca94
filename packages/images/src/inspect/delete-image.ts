import { rm } from "node:fs/promises";
import { join } from "node:path";
import { FailedPrecondition, NotFound, Unsupported } from "@boxship/base";
import {
  type Digest,
  decodeManifest,
  digestAlgorithm,
  digestHex,
  formatReference,
  type RegistryClient,
} from "@boxship/oci";
import { readSmallFile } from "../transport/files.ts";
import type { ImageName } from "../transport/image-name.ts";
import { readIndex, withoutEntry, writeIndex } from "../transport/layout-index.ts";

/** Places that take deletions. */
export interface DeleteSurroundings {
  readonly client: RegistryClient;
  /** Removes an image of the engine. @throws NotFound */
  readonly removeFromEngine: (image: string) => Promise<void>;
}

/**
 * Deletes what a name stands for: a manifest in a registry, which all its tags go with; a name in a layout, with the
 * blobs that nothing else there needs; an image of the engine.
 *
 * @throws NotFound; Unsupported for places that cannot
 */
export async function deleteImage(name: ImageName, { client, removeFromEngine }: DeleteSurroundings): Promise<void> {
  switch (name.transport) {
    case "docker":
      return client.deleteManifest(name.reference).catch((error: unknown) => {
        if (!(error instanceof NotFound)) throw error;
        throw new NotFound(
          `Unable to delete ${formatReference(name.reference)}. Image may not exist or is not stored with a v2 Schema in a v2 registry`,
          { cause: error, subject: { kind: "image", name: formatReference(name.reference) } },
        );
      });
    case "docker-daemon":
    case "containers-storage":
      return removeFromEngine(name.image);
    case "oci":
      return deleteFromLayout(name.path, name.image);
    case "dir":
    case "oci-archive":
    case "docker-archive":
      throw new Unsupported(`Deleting images not implemented for ${name.transport}: images`, {
        remedy: `remove ${name.path} itself`,
      });
    default:
      return name satisfies never;
  }
}

async function deleteFromLayout(path: string, image: string): Promise<void> {
  if (image === "") throw new FailedPrecondition("name the image to delete: oci:DIRECTORY:NAME");
  const index = await readIndex(path);
  const left = withoutEntry(index, image);
  const gone = await reachable(
    path,
    index.manifests.map(({ digest }) => digest),
  );
  const kept = await reachable(
    path,
    left.manifests.map(({ digest }) => digest),
  );
  await writeIndex(path, left);
  for (const digest of gone) {
    if (!kept.has(digest)) await rm(blob(path, digest), { force: true });
  }
}

function blob(path: string, digest: Digest): string {
  return join(path, "blobs", digestAlgorithm(digest), digestHex(digest));
}

/** All that roots lead to. What is no manifest leads nowhere. */
async function reachable(path: string, roots: readonly Digest[]): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>();
  const open = [...roots];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    if (found.has(digest)) continue;
    found.add(digest);
    open.push(...(await references(blob(path, digest))));
  }
  return found;
}

async function references(file: string): Promise<readonly Digest[]> {
  try {
    const document = decodeManifest(await readSmallFile(file));
    const parts = document.kind === "index" ? document.manifests : [document.config, ...document.layers];
    return parts.map(({ digest }) => digest);
  } catch {
    return [];
  }
}
