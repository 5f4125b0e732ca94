import { existsSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory, writeFileAtomic } from "@boxship/base";
import { Unsupported } from "@boxship/base/errors";
import { isMountPoint } from "@boxship/kernel";
import { growImage, growMountedImage, makeImage } from "../image/filesystem-image.ts";
import { parseVolumeOptions } from "./volume-options.ts";
import { DATA, IMAGE, VOLUME_RECORD, type Volume } from "./volume-record.ts";
import { publishDirectory, refuseUsed, type VolumeState, volumeOf } from "./volume-state.ts";

/** A finished image on its way to its place. */
const LIMITED = "limited";

/**
 * Gives a volume a limit, or a larger one. A plain volume's content moves into an image of that size; after a crash it is
 * as before or has the limit.
 *
 * @throws Unsupported for a smaller limit and for volumes with a device; Conflict for a first limit while it is in use;
 *   ResourceExhausted when the content does not fit
 */
export async function limitVolume(state: VolumeState, name: string, size: number): Promise<void> {
  await state.locks.run(name, async () => {
    const volume = volumeOf(state, name);
    const { mount } = volume;
    if (mount === undefined) await moveIntoImage(state, volume, size);
    else if (mount.limit === undefined) {
      throw new Unsupported(`volume ${name} cannot have a limit: its content is on a device of its own`, {
        subject: { kind: "volume", name },
      });
    } else await grow(volume, mount.limit, size);
    await keepLimit(state, volume, size);
  });
}

async function grow(volume: Volume, from: number, size: number): Promise<void> {
  if (size < from) {
    throw new Unsupported(`the limit of volume ${volume.name} cannot be lowered from ${from} to ${size} bytes`, {
      subject: { kind: "volume", name: volume.name },
      remedy: "export it, and import it into a volume with a lower limit",
    });
  }
  const image = join(volume.directory, IMAGE);
  if (isMountPoint(volume.mountpoint)) growMountedImage(image, volume.mountpoint, size);
  else await growImage(image, size);
}

async function moveIntoImage(state: VolumeState, volume: Volume, size: number): Promise<void> {
  refuseUsed(volume, "limited");
  const limited = join(volume.directory, LIMITED);
  await state.trash.take(limited);
  const fill = (stage: string) => makeImage(stage, join(stage, IMAGE), { size, content: volume.mountpoint });
  await publishDirectory(state, limited, fill, { deep: true });
  await rename(join(limited, IMAGE), join(volume.directory, IMAGE));
  await syncDirectory(volume.directory);
  await rmdir(limited);
}

/** The record decides: until it names a limit the directory holds the content, and then the image does. */
async function keepLimit(state: VolumeState, volume: Volume, size: number): Promise<void> {
  const { name, labels, created, directory } = volume;
  const options = { ...volume.options, size: String(size) };
  await writeFileAtomic(join(directory, VOLUME_RECORD), JSON.stringify({ name, labels, options, created }));
  const limited: Volume = { ...volume, options, mount: parseVolumeOptions(options) };
  state.volumes.set(name, limited);
  await settleLimit(state, limited);
}

/** Ends a change of limits that a crash has cut off. */
export async function settleLimit(state: VolumeState, { directory, mountpoint, mount }: Volume): Promise<void> {
  await state.trash.take(join(directory, LIMITED));
  if (mount?.limit === undefined) {
    await rm(join(directory, IMAGE), { force: true });
    return;
  }
  if (existsSync(mountpoint) && (isMountPoint(mountpoint) || (await readdir(mountpoint)).length === 0)) return;
  // The content from before.
  await state.trash.take(mountpoint);
  await mkdir(mountpoint, { mode: 0o755 });
}

/** What an image takes on the disk. */
export function imageUsage({ directory }: Volume): number {
  return statSync(join(directory, IMAGE)).blocks * 512;
}

/** For a new volume: its image, in the directory that it is made in. */
export async function layOutImage(stage: string, size: number): Promise<void> {
  await makeImage(stage, join(stage, IMAGE), { size, content: join(stage, DATA) });
}
