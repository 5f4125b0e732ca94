import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { compileNodeSelector, type KubeObject, type NodeSelector, textAt, valueAt } from "@boxship/api";
import { FailedPrecondition, NotFound, systemCode, Unsupported, writeFileAtomic } from "@boxship/base";
import type { ApiClient } from "@boxship/client";
import type { Pod, VolumeSpec } from "../types.ts";
import { awaitFileSystem } from "./file-system-answer.ts";
import { checkHostPath } from "./host-path.ts";
import { ownTree } from "./own-tree.ts";

export interface ClaimVolumesOptions {
  readonly client: Pick<ApiClient, "get">;
  readonly nodeName: string;
}

/** Where the volume of a claim is. */
export interface ClaimedVolume {
  readonly path: string;
  readonly readOnly: boolean;
}

const CLAIMS = { group: "", version: "v1", resource: "persistentvolumeclaims" } as const;
const VOLUMES = { group: "", version: "v1", resource: "persistentvolumes" } as const;
const NODES = { group: "", version: "v1", resource: "nodes" } as const;

/** The volumes of pods' claims: directories of this node, `hostPath` and `local` ones. */
export class ClaimVolumes {
  readonly #options: ClaimVolumesOptions;

  constructor(options: ClaimVolumesOptions) {
    this.#options = options;
  }

  /**
   * Finds the volume of a claim, and makes it what the pod needs. What was found is written down: the pod keeps it, whatever
   * becomes of the claim's object.
   *
   * @param directory the pod's own
   * @returns undefined for volumes without a claim
   * @throws NotFound, FailedPrecondition, Unsupported, DeadlineExceeded
   */
  async prepare(pod: Pod, volume: VolumeSpec, directory: string): Promise<ClaimedVolume | undefined> {
    const { persistentVolumeClaim, ephemeral, name } = volume;
    if (persistentVolumeClaim === undefined && ephemeral === undefined) return undefined;
    const note = join(directory, "claims", name);
    const known = await readNote(note);
    if (known !== undefined) return known;
    const claim = await this.#claim(pod, persistentVolumeClaim?.claimName ?? `${pod.metadata.name}-${name}`);
    if (ephemeral !== undefined) checkOwner(pod, claim);
    const found = await this.#volume(claim);
    const source = await this.#source(found);
    const prepared = { path: source.path, readOnly: persistentVolumeClaim?.readOnly === true };
    const { fsGroup, fsGroupChangePolicy = "Always" } = pod.spec.securityContext ?? {};
    // Directories of the node's own stay as they are.
    if (fsGroup !== undefined && source.isOurs && !prepared.readOnly) {
      await ownTree(source.path, fsGroup, fsGroupChangePolicy === "OnRootMismatch");
    }
    await mkdir(join(directory, "claims"), { recursive: true, mode: 0o755 });
    await writeFileAtomic(note, JSON.stringify(prepared));
    return prepared;
  }

  /** Where a volume of a pod is that was prepared. @param directory the pod's own */
  async placeOf(directory: string, volume: string): Promise<string | undefined> {
    return (await readNote(join(directory, "claims", volume)))?.path;
  }

  async #claim({ metadata: { namespace = "" } }: Pod, name: string): Promise<KubeObject> {
    const claim = await this.#options.client.get({ ...CLAIMS, namespace, name }).catch((error: unknown) => {
      if (error instanceof NotFound) throw new NotFound(`persistentvolumeclaim "${name}" not found`);
      throw error;
    });
    if (textAt(claim, "status", "phase") !== "Bound" || textAt(claim, "spec", "volumeName") === "") {
      throw new FailedPrecondition(`persistentvolumeclaim "${name}" is not bound`);
    }
    if (textAt(claim, "spec", "volumeMode") === "Block") {
      throw new Unsupported(`persistentvolumeclaim "${name}": volumeMode Block is not supported`);
    }
    return claim;
  }

  async #volume(claim: KubeObject): Promise<KubeObject> {
    const { client, nodeName } = this.#options;
    const name = textAt(claim, "spec", "volumeName");
    const volume = await client.get({ ...VOLUMES, name });
    if (textAt(volume, "spec", "claimRef", "uid") !== claim.metadata.uid) {
      throw new FailedPrecondition(`persistentvolume "${name}" is not bound to claim "${claim.metadata.name}"`);
    }
    const required = valueAt(volume, "spec", "nodeAffinity", "required") as NodeSelector | undefined;
    if (required !== undefined) {
      const { labels = {} } = (await client.get({ ...NODES, name: nodeName })).metadata;
      if (!compileNodeSelector(required)({ name: nodeName, labels })) {
        throw new FailedPrecondition(`persistentvolume "${name}" cannot be reached from node ${nodeName}`);
      }
    }
    return volume;
  }

  async #source(volume: KubeObject): Promise<{ readonly path: string; readonly isOurs: boolean }> {
    const local = textAt(volume, "spec", "local", "path");
    if (local !== "") {
      await awaitFileSystem(local);
      if (!(await isDirectory(local))) throw new FailedPrecondition(`path ${JSON.stringify(local)} is not a directory`);
      return { path: local, isOurs: true };
    }
    const path = textAt(volume, "spec", "hostPath", "path");
    if (path === "") {
      const known = new Set(["capacity", "accessModes", "claimRef", "nodeAffinity", "mountOptions"]);
      const spec = Object.entries((volume["spec"] ?? {}) as object);
      const kind = spec.find(([key, value]) => !known.has(key) && typeof value === "object")?.[0] ?? "its kind";
      throw new Unsupported(`persistentvolume "${volume.metadata.name}": ${kind} is not supported`);
    }
    await checkHostPath(path, textAt(volume, "spec", "hostPath", "type"));
    return { path, isOurs: false };
  }
}

function checkOwner({ metadata: { name, uid } }: Pod, claim: KubeObject): void {
  if (claim.metadata.ownerReferences?.some((owner) => owner.uid === uid && owner.controller === true) === true) return;
  throw new FailedPrecondition(`persistentvolumeclaim "${claim.metadata.name}" was not created for pod ${name}`);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

async function readNote(path: string): Promise<ClaimedVolume | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as ClaimedVolume;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
