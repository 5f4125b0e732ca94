import { rename } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "@boxship/base";
import { AlreadyExists } from "@boxship/base/errors";
import { checkVolumeName, DATA } from "./volume-record.ts";
import { refuseUsed, type VolumeState, volumeOf } from "./volume-state.ts";

/**
 * Gives a volume another name. The directory's name is what counts, so that one rename
 * does it.
 *
 * @throws AlreadyExists when the new name is taken, Conflict while something uses the volume, NotFound
 */
export async function renameVolume(state: VolumeState, name: string, newName: string): Promise<void> {
  checkVolumeName(newName);
  // Always in the same order, so that two renames do not wait for each other.
  const [first = "", second = ""] = [name, newName].sort();
  const work = async (): Promise<void> => {
    const volume = volumeOf(state, name);
    if (newName === name) return;
    if (state.volumes.has(newName)) {
      throw new AlreadyExists(`volume ${newName} exists already`, { subject: { kind: "volume", name: newName } });
    }
    refuseUsed(volume, "renamed");
    const directory = join(state.root, newName);
    await rename(volume.directory, directory);
    await syncDirectory(state.root);
    state.volumes.delete(name);
    state.volumes.set(newName, { ...volume, name: newName, directory, mountpoint: join(directory, DATA) });
  };
  if (first === second) await state.locks.run(first, work);
  else await state.locks.run(first, () => state.locks.run(second, work));
}
