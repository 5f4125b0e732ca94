import type { Stats } from "node:fs";
import { chmod, chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isMountPoint, releaseMount } from "@boxship/kernel";
import { makeImage } from "../image/filesystem-image.ts";
import { mountImageAway } from "../storage-pool.ts";
import type { ContainerRecord } from "./record.ts";

/** The writable layer of a container: a directory, or with a limit a file system in a file that is mounted as `layer`. */

const IMAGE = "layer.img";
const LAYER = "layer";
const CONTENT = "content";

/** Where overlay's two directories are, in a container's own. */
export function writableDirectory(directory: string, sizeLimit: number | undefined): string {
  return sizeLimit === undefined ? directory : join(directory, LAYER);
}

/**
 * Makes an empty writable layer in a container's directory that is not in its place yet.
 *
 * @param root whose owner and mode the root of the container gets. @default a new directory's
 */
export async function makeWritableLayer(
  directory: string,
  sizeLimit: number | undefined,
  root: Stats | undefined,
): Promise<void> {
  if (sizeLimit === undefined) {
    await makeDirectories(directory, root);
    return;
  }
  const content = join(directory, CONTENT);
  await mkdir(content, { mode: 0o711 });
  await makeDirectories(content, root);
  await mkdir(join(directory, LAYER), { mode: 0o711 });
  await makeImage(directory, join(directory, IMAGE), { size: sizeLimit, content });
  await rm(content, { recursive: true });
}

async function makeDirectories(directory: string, root: Stats | undefined): Promise<void> {
  const upper = join(directory, "upper");
  await Promise.all([mkdir(upper, { mode: 0o755 }), mkdir(join(directory, "work"), { mode: 0o700 })]);
  if (root === undefined) return;
  // The root of an overlay is that of its uppermost directory, so that takes over what the image says of its root.
  await chown(upper, root.uid, root.gid);
  await chmod(upper, root.mode & 0o7777);
}

/** Mounts a writable layer that is in a file; without effect for others, and when it is mounted. */
export async function openWritableLayer(directory: string, { sizeLimit }: ContainerRecord): Promise<void> {
  if (sizeLimit === undefined) return;
  const target = join(directory, LAYER);
  if (!isMountPoint(target)) await mountImageAway({ image: join(directory, IMAGE), target });
}

/** The opposite of {@link openWritableLayer}. */
export async function closeWritableLayer(directory: string, { sizeLimit }: ContainerRecord): Promise<void> {
  if (sizeLimit === undefined) return;
  const target = join(directory, LAYER);
  if (isMountPoint(target)) await releaseMount(target);
}
