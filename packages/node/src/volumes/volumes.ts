import { chmod, chown, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { asBoxshipError, FailedPrecondition, systemCode, Unsupported } from "@boxship/base";
import { isMountPoint, MountFlag, mount, releaseMountsBelow } from "@boxship/kernel";
import { amount } from "../status/qos.ts";
import type { Pod, VolumeSpec } from "../types.ts";
import { writeAtomically } from "./atomic-directory.ts";
import type { ClaimVolumes } from "./claim-volumes.ts";
import { diskUsage } from "./disk-usage.ts";
import { checkHostPath } from "./host-path.ts";
import { type ProjectionSources, projectedFiles } from "./projections.ts";

/** What a volume is for the containers that mount it. */
export type PreparedVolume =
  | { readonly kind: "path"; readonly path: string; readonly readOnly: boolean }
  | { readonly kind: "image"; readonly reference: string; readonly pullPolicy: string | undefined };

/** Directories of pods: `<root>/pods/<uid>/volumes/<name>`. */
export class Volumes {
  readonly #root: string;
  readonly #claims: Pick<ClaimVolumes, "placeOf" | "prepare">;

  constructor(root: string, claims: Pick<ClaimVolumes, "placeOf" | "prepare">) {
    this.#root = root;
    this.#claims = claims;
  }

  directoryOf({ metadata: { uid = "" } }: Pod): string {
    return join(this.#root, "pods", uid);
  }

  /**
   * Makes all volumes of a pod what they should be. Called again it brings those that are made of other objects up to date.
   *
   * @throws FailedPrecondition naming the volume, in the kubelet's words
   */
  async prepare(pod: Pod, sources: ProjectionSources): Promise<ReadonlyMap<string, PreparedVolume>> {
    const prepared = new Map<string, PreparedVolume>();
    for (const volume of pod.spec.volumes ?? []) {
      try {
        prepared.set(volume.name, await this.#prepareOne(pod, volume, sources));
      } catch (cause) {
        const why = `MountVolume.SetUp failed for volume "${volume.name}" : ${asBoxshipError(cause).message}`;
        throw new FailedPrecondition(why, { cause });
      }
    }
    return prepared;
  }

  async #prepareOne(pod: Pod, volume: VolumeSpec, sources: ProjectionSources): Promise<PreparedVolume> {
    const { name, emptyDir, hostPath, image, secret, projected } = volume;
    const path = join(this.directoryOf(pod), "volumes", name);
    const group = pod.spec.securityContext?.fsGroup;
    if (emptyDir !== undefined) {
      if (emptyDir.medium !== undefined && emptyDir.medium !== "" && emptyDir.medium !== "Memory") {
        throw new Unsupported(`volume ${name}: medium ${emptyDir.medium} is not supported`);
      }
      await makeDirectory(path, emptyDir.medium === "Memory" ? memorySize(emptyDir.sizeLimit) : undefined);
      await own(path, 0o777, group);
      return { kind: "path", path, readOnly: false };
    }
    if (hostPath !== undefined) {
      await checkHostPath(hostPath.path, hostPath.type ?? "");
      return { kind: "path", path: hostPath.path, readOnly: false };
    }
    if (image !== undefined) {
      return { kind: "image", reference: image.reference ?? "", pullPolicy: image.pullPolicy };
    }
    const claimed = await this.#claims.prepare(pod, volume, this.directoryOf(pod));
    if (claimed !== undefined) return { kind: "path", ...claimed };
    const files = await projectedFiles(pod, volume, sources);
    if (files === undefined) {
      const [kind = "its kind"] = Object.keys(volume).filter((key) => key !== "name");
      throw new Unsupported(`volume ${name}: ${kind} is not supported`);
    }
    // What is secret is never on a disk.
    await makeDirectory(path, secret === undefined && projected === undefined ? undefined : "");
    await own(path, 0o755, group);
    await writeAtomically(path, files, group);
    return { kind: "path", path, readOnly: true };
  }

  /** Where the volume of a claim of a pod is; undefined for one that is not mounted. */
  async placeOf(pod: Pod, volume: string): Promise<string | undefined> {
    return await this.#claims.placeOf(this.directoryOf(pod), volume);
  }

  /** Bytes of what a pod has at a place of its directory. */
  async used(pod: Pod, path: string): Promise<number> {
    return await diskUsage(join(this.directoryOf(pod), path));
  }

  /** Uids of pods something of which is there. */
  async uids(): Promise<readonly string[]> {
    try {
      return await readdir(join(this.#root, "pods"));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw error;
    }
  }

  /** Takes away everything of a pod. Idempotent. */
  async remove(uid: string): Promise<void> {
    const directory = join(this.#root, "pods", uid);
    // Containers may have left mounts of their own in there, and what those show is not the pod's.
    await releaseMountsBelow(directory);
    await rm(directory, { recursive: true, force: true });
  }
}

/** @param memory options of a file system in memory; undefined is on disk */
async function makeDirectory(path: string, memory: string | undefined): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  if (memory === undefined || isMountPoint(path)) return;
  const flags = MountFlag.NoSuid | MountFlag.NoDev;
  mount({ source: "tmpfs", target: path, type: "tmpfs", flags, data: ["mode=0755", memory].filter(Boolean).join(",") });
}

const memorySize = (limit: string | undefined): string => {
  const bytes = Math.floor(amount(limit));
  return bytes > 0 ? `size=${bytes}` : "";
};

async function own(path: string, mode: number, group: number | undefined): Promise<void> {
  if (group !== undefined) await chown(path, 0, group);
  // Files of the group's directory are the group's.
  await chmod(path, group === undefined ? mode : mode | 0o2070);
}
